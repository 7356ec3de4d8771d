"""Debian's PostgreSQL on loopback, in a directory that is removed again; it asks for a password."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "mondschein7391"


@dataclass(frozen=True)
class Server:
    """A cluster of its own."""

    folder: Path
    binaries: Path
    port: int

    @classmethod
    def made(cls) -> Server:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        folder = Path(tempfile.mkdtemp(prefix="runner-postgres-"))
        (folder / "password").write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (folder, folder / "password"):
                shutil.chown(path, "postgres")
        server = cls(folder, binaries(), port)
        given = (
            "--auth=scram-sha-256",
            "--username=postgres",
            f"--pwfile={folder}/password",
            "--no-sync",
            "-E",
            "UTF8",
        )
        server._call("initdb", "-D", f"{folder}/data", *given)
        server.start()
        return server

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._call("pg_ctl", "-w", "-D", f"{self.folder}/data", "-l", f"{self.folder}/log", "-o", options, "start")

    def stop(self) -> None:
        self._call("pg_ctl", "-w", "-D", f"{self.folder}/data", "-m", "immediate", "stop")

    @property
    def running(self) -> bool:
        return (self.folder / "data/postmaster.pid").exists()

    def remove(self) -> None:
        if self.running:
            self.stop()
        shutil.rmtree(self.folder)

    def url(self, database: str, password: str = "") -> str:
        return f"postgresql://postgres{password and ':' + password}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> None:
        import psycopg

        with psycopg.connect(self.url("postgres", PASSWORD), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {database}")  # type: ignore[call-overload]

    def _call(self, name: str, *arguments: str) -> None:
        """As the user postgres where we are root, whom it refuses."""
        other = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*other, str(self.binaries / name), *arguments]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/", timeout=60)
        assert done.returncode == 0, done.stderr.decode()


def binaries() -> Path:
    """Where they are, installed now if that is possible here."""
    if not (found := _found()) and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in ("update", "install -y --no-install-recommends postgresql"):
            subprocess.run(["apt-get", "-q", *command.split()], stdout=subprocess.DEVNULL, timeout=900, check=True)
        found = _found()
    assert found, "no PostgreSQL here: apt-get install postgresql"
    return found[-1]


def _found() -> list[Path]:
    return sorted(path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb"))
