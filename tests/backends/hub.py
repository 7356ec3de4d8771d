"""A server on the loopback that speaks the hub's protocol as huggingface_hub 2.4 uses it, with faults to order.

with HubServer() as hub:
    commit = hub.add("someone/model", {"config.json": b"{}"})
    subprocess.run(..., env=os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path)})
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = (".safetensors", ".bin")  # kept in a second place ("CDN") under their sha256, as the hub does with LFS files


@dataclass
class Repository:
    revisions: dict[str, str] = field(default_factory=dict)  # branch or tag -> commit
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)  # commit -> path -> content

    def commit_of(self, revision: str) -> str | None:
        return revision if revision in self.commits else self.revisions.get(revision)


class HubServer:
    """`url` is what HF_ENDPOINT takes; `requests` lists (method, path, bearer token) as they came."""

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], Repository] = {}  # (models | datasets, name)
        self.requests: list[tuple[str, str, str | None]] = []
        self.gated: set[str] = set()  # names whose files need a token
        self.private: set[str] = set()  # names that do not exist without a token
        self.refuses: int | None = None  # status that answers everything
        self.cut: dict[str, list[int]] = {}  # file name -> bytes after which each next answer breaks off
        self.connections: list[socket.socket] = []
        self.serving = self._server(0)

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add(self, name: str, files: Mapping[str, bytes] | Path, revision: str = "main", kind: str = "models") -> str:
        """A new commit of these files; the branch or tag is moved to it."""
        if isinstance(files, Path):
            root = files
            files = {str(f.relative_to(root)): f.read_bytes() for f in sorted(root.rglob("*")) if f.is_file()}
        content = dict(files)
        commit = hashlib.sha1(repr((name, sorted(content.items()))).encode()).hexdigest()
        repository = self.repositories.setdefault((kind, name), Repository())
        repository.commits[commit] = content
        repository.revisions[revision] = commit
        return commit

    def stop(self) -> None:
        """Refuse connections from now on, as a hub that cannot be reached does."""
        self.serving.shutdown()
        self.serving.server_close()
        for connection in self.connections:  # the client keeps them open for its next request
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.connections.clear()

    def start_again(self) -> None:
        self.serving = self._server(self.port)

    def __enter__(self) -> HubServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _server(self, port: int) -> ThreadingHTTPServer:
        hub = self

        class Bound(Handler):
            pass

        Bound.hub = hub
        server = ThreadingHTTPServer(("127.0.0.1", port), Bound)
        self._port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return server


class Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.hub.connections.append(self.connection)

    def do_GET(self) -> None:
        self._route()

    def do_HEAD(self) -> None:
        self._route()

    def do_POST(self) -> None:
        self._route()

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""

    def _route(self) -> None:
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
        self.hub.requests.append((self.command, self.path, token))
        if self.hub.refuses:
            return self._error(self.hub.refuses, None)
        if parts[0] == "cdn":
            return self._cdn(parts[1], parts[2])
        if parts[0] == "api":
            return self._api(parts[1], parts[2:], body, token)
        kind, rest = ("datasets", parts[1:]) if parts[0] == "datasets" else ("models", parts)
        if "resolve" not in rest:
            return self._error(404, None)
        at = rest.index("resolve")
        return self._resolve(kind, "/".join(rest[:at]), rest[at + 1], "/".join(rest[at + 2 :]), token)

    def _found(self, kind: str, name: str, revision: str, token: str | None) -> tuple[Repository, str] | None:
        repository = self.hub.repositories.get((kind, name))
        if repository is None or (name in self.hub.private and token is None):
            self._error(401 if token is None else 404, "RepoNotFound")
            return None
        commit = repository.commit_of(revision)
        if commit is None:
            self._error(404, "RevisionNotFound")
            return None
        return repository, commit

    def _api(self, kind: str, parts: list[str], body: bytes, token: str | None) -> None:
        verbs = [i for i, part in enumerate(parts) if part in ("revision", "tree", "paths-info", "refs")]
        at = verbs[0] if verbs else len(parts)
        name, verb = "/".join(parts[:at]), parts[at] if verbs else "revision"
        revision = parts[at + 1] if len(parts) > at + 1 else "main"
        found = self._found(kind, name, revision, token)
        if found is None:
            return
        repository, commit = found
        files = repository.commits[commit]
        if verb == "revision":
            siblings = [{"rfilename": path} for path in sorted(files)]
            self._json(
                {"_id": "0", "id": name, "modelId": name, "sha": commit, "siblings": siblings, "tags": []}
                | {"private": name in self.hub.private, "gated": "auto" if name in self.hub.gated else False}
                | {"downloads": 0, "likes": 0}
            )
        elif verb == "refs":
            branches = [
                {"name": n, "ref": f"refs/heads/{n}", "targetCommit": c} for n, c in repository.revisions.items()
            ]
            self._json({"branches": branches, "converts": [], "tags": []})
        elif verb == "paths-info":
            asked = json.loads(body)["paths"] if body.startswith(b"{") else parse_qs(body.decode())["paths"]
            self._json(_entries(files, [path.strip("/") for path in asked]))
        else:
            folder = "/".join(parts[at + 2 :])
            recursive = parse_qs(urlsplit(self.path).query).get("recursive", ["false"])[0].lower() == "true"
            inside = {p: c for p, c in files.items() if not folder or p.startswith(f"{folder}/")}
            if folder and not inside:
                return self._error(404, "EntryNotFound")
            depth = folder.count("/") + 1 if folder else 0
            paths = sorted(inside) if recursive else sorted({"/".join(p.split("/")[: depth + 1]) for p in inside})
            self._json(_entries(files, paths))

    def _resolve(self, kind: str, name: str, revision: str, path: str, token: str | None) -> None:
        found = self._found(kind, name, revision, token)
        if found is None:
            return
        repository, commit = found
        if name in self.hub.gated and token is None:
            return self._error(403, "GatedRepo", commit)
        content = repository.commits[commit].get(path)
        if content is None:
            return self._error(404, "EntryNotFound", commit)
        if not path.endswith(LARGE):
            return self._content(path, content, {"X-Repo-Commit": commit, "ETag": f'"{_git_hash(content)}"'})
        digest = hashlib.sha256(content).hexdigest()
        self.send_response(302)
        self.send_header("Location", f"http://localhost:{self.hub.port}/cdn/{digest}/{path.rsplit('/', 1)[-1]}")
        self.send_header("X-Repo-Commit", commit)
        self.send_header("X-Linked-ETag", f'"{digest}"')
        self.send_header("X-Linked-Size", str(len(content)))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _cdn(self, digest: str, name: str) -> None:
        for repository in self.hub.repositories.values():
            for files in repository.commits.values():
                for path, content in files.items():
                    if path.endswith(name) and hashlib.sha256(content).hexdigest() == digest:
                        return self._content(name, content, {"ETag": f'"{digest}"'})
        return self._error(404, None)

    def _content(self, path: str, content: bytes, headers: Mapping[str, str]) -> None:
        size, start = len(content), 0
        wanted = self.headers.get("Range")
        if wanted:
            start = int(wanted.removeprefix("bytes=").split("-")[0])
            last = wanted.rsplit("-", 1)[1]
            content = content[start : int(last) + 1 if last else None]
        self.send_response(206 if wanted else 200)
        for key, value in headers.items():
            self.send_header(key, value)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{start + len(content) - 1}/{size}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        cuts = self.hub.cut.get(path.rsplit("/", 1)[-1])
        if cuts:
            self.wfile.write(content[: cuts.pop(0)])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.wfile.write(content)

    def _json(self, value: Any) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _error(self, status: int, code: str | None, commit: str | None = None) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", code)
        if commit:
            self.send_header("X-Repo-Commit", commit)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _entries(files: Mapping[str, bytes], paths: list[str]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for path in paths:
        content = files.get(path)
        if content is None:
            if any(name.startswith(f"{path}/") for name in files):
                entries.append({"type": "directory", "path": path, "oid": "0" * 40, "size": 0})
            continue
        entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": _git_hash(content)}
        if path.endswith(LARGE):
            digest = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 130}
        entries.append(entry)
    return entries


def _git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
