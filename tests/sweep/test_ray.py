"""A cluster of two Ray nodes on this machine, one of which is killed in the middle: nothing is lost."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from runner.files import sha256
from tests.sweep.processes import alive, below, command, until

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("hydra-ray-launcher==1.2.2", "ray[default]==2.60.0", "cloudpickle<3", "python-dateutil<3")
ROWS = 12
PORT = 26379
LOOPBACK = """
import fcntl, os, socket, struct, sys
with socket.socket() as any:
    fcntl.ioctl(any, 0x8914, struct.pack("16sh", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
os.execvp(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture(scope="session")
def python() -> Path:
    """An interpreter with Ray beside all that this one has: Ray's launcher needs a cloudpickle of its own."""
    if os.environ.get("RUNNER_NO_RAY") == "1":
        pytest.skip("RUNNER_NO_RAY=1")
    folder = Path(sys.prefix) / "with-ray"
    interpreter = folder / "bin" / "python"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        (site,) = folder.glob("lib/python*/site-packages")
        (site / "beside.pth").write_text(next(path for path in sys.path if path.endswith("site-packages")))
        subprocess.run([interpreter, "-m", "pip", "install", "-q", *PACKAGES], check=True, timeout=900)
        (folder / "complete").touch()
    return interpreter


@pytest.fixture
def environment(rules):
    """Of Ray and of all that it starts."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return kept | {
        "PYTHONPATH": f"{ROOT}:{rules}", "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "HF_HUB_OFFLINE": "1",
    }  # fmt: skip


@pytest.fixture
def network():
    """What a command is put behind: Ray listens on every interface, so it gets a network that has loopback alone."""
    if subprocess.run(["unshare", "-n", "true"], stderr=subprocess.DEVNULL).returncode:
        yield []  # only root may have one; the token keeps others out
        return
    holder = subprocess.Popen(["unshare", "-n", sys.executable, "-c", LOOPBACK, "sleep", "600"])
    until(lambda: command(holder.pid).startswith("sleep "), 10)
    yield ["nsenter", "-t", str(holder.pid), "-n"]
    holder.kill()
    holder.wait()


def raylet(node: subprocess.Popen[bytes]) -> int | None:
    return next((pid for pid in below(node.pid) if "/raylet/raylet " in command(pid)), None)


def statuses(home):
    return [json.loads(path.read_text()) for path in home.glob("outputs/*/*/status.json")]


@pytest.fixture
def cluster(python, environment, network):
    """The processes that hold its two nodes, of one processor each."""
    folder = Path(tempfile.mkdtemp(prefix="ray"))
    common = ["--node-ip-address=127.0.0.1", "--num-cpus=1", "--object-store-memory=80000000", "--block"]
    head = ["--head", f"--port={PORT}", "--include-dashboard=false", f"--temp-dir={folder}"]
    nodes = []
    try:
        for given in (head, [f"--address=127.0.0.1:{PORT}"]):
            log = folder / f"node-{len(nodes)}.log"
            arguments = [*network, python.parent / "ray", "start", *given, *common]
            with log.open("wb") as file:
                options = {"env": environment, "stdout": file, "stderr": file, "start_new_session": True}
                nodes.append(subprocess.Popen(arguments, **options))
            until(lambda log=log: "Ray runtime started" in log.read_text())
        yield nodes
    finally:
        for pid in [pid for node in nodes for pid in (*below(node.pid), node.pid)]:
            if alive([pid]):
                os.kill(pid, signal.SIGKILL)
        for node in nodes:
            node.wait()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_node_that_is_killed_loses_nothing(cli, tiny, tmp_path, python, environment, network, cluster):
    second = cluster[1]
    rows = tmp_path / "rows.txt"
    rows.write_text("春\n江\n花\n" * (ROWS // 3))
    sweep = (
        "-m", f"checkpoint.name_or_path={tiny}", "data=files", f"data.path={rows}", "decode.max_new_tokens=2",
        "engine.threads=1", "decode=step", "decode.rule._target_=sweep_rules.Does", "decode.rule.what=slow",
        "seed=range(0,8)", "sweep.wait_s=0",
    )  # fmt: skip
    ray = ("hydra/launcher=ray", "hydra.launcher.n_jobs=2", f"hydra.launcher.ray.init.address=127.0.0.1:{PORT}",
           "+hydra.launcher.ray.init._node_ip_address=127.0.0.1")  # fmt: skip
    process = subprocess.Popen(
        [*network, python, "-m", "runner", *sweep, *ray], cwd=cli.home, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        until(lambda: {one["pid"] for one in statuses(cli.home) if one["state"] == "running"} & set(below(second.pid)))
        under = below(second.pid)
        os.kill(raylet(second), signal.SIGKILL)
        told, _ = process.communicate(timeout=300)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert process.returncode == 0 and "8 of 8 done" in told, told
    until(lambda: not alive(under), 30)  # what the node had started has ended with it
    assert sorted(one["attempt"] for one in statuses(cli.home)) == [1, 1, 1, 1, 1, 1, 1, 2]
    for path in cli.home.glob("outputs/*/*/predictions.jsonl"):
        assert [json.loads(line)["row"] for line in path.open()] == list(range(ROWS))
    assert cli(*sweep, "output_dir=here").code == 0
    one, other = ({path.parent.name[-8:]: sha256(path) for path in cli.home.glob(f"{name}/*/*/predictions.jsonl")}
                  for name in ("outputs", "here"))  # fmt: skip
    assert one == other and len(one) == 8
