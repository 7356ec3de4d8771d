"""Hostile configurations, and proof that none of them does anything."""

import os
import stat

import pytest

FOLDERS = ("home", "outside")


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """A file that exists as soon as anything hostile has run: every command that they name is this one."""
    found = tmp_path / "PWNED"
    tools = tmp_path / "bin"
    tools.mkdir()
    pwn = tools / "pwn"
    pwn.write_text(f"#!/bin/sh\n: > {found}\n")
    pwn.chmod(pwn.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PWNED", str(found))
    return found


@pytest.fixture
def untouched(tmp_path, canary, cli):
    """Checks at the end that nothing has run and nothing was written outside outputs/."""
    before = {path for path in tmp_path.rglob("*") if cli.home not in path.parents}

    def check(added=()):
        assert not canary.exists()
        after = {path for path in tmp_path.rglob("*") if cli.home not in path.parents}
        assert after - before <= set(added)
        assert {path.name for path in cli.home.iterdir()} <= {"outputs", *(path.name for path in added)}

    return check
