"""Sweeps over a next-token rule that does what it is asked to: work, raise, exit, be killed, hang, eat memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RULES = """
import os
import signal
import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Does:
    what: str = "work"
    mark: str = ""

    def __call__(self, tokens, logits, generator):
        if self.mark and os.path.exists(self.mark):
            return int(logits.argmax())
        if self.mark:
            open(self.mark, "w").close()
        if self.what == "raise":
            raise ZeroDivisionError("boom")
        if self.what == "exit":
            sys.exit(7)
        if self.what == "leave":
            os._exit(5)
        if self.what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == "hang":
            time.sleep(600)
        if self.what == "slow":
            time.sleep(0.2)
        if self.what == "eat":
            held = [bytearray(50_000_000) for _ in range(40)]
            for block in held:
                block[::4096] = b"x" * len(block[::4096])
            time.sleep(600)
        return int(logits.argmax())
"""


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the user's own with a rule, trusted and on the path."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "sweep_rules.py").write_text(RULES)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("RUNNER_TRUST", "sweep_rules")
    return folder


@pytest.fixture
def common(tiny: Path) -> tuple[str, ...]:
    """What the jobs of the tests have in common: three tokens of one prompt, a thread."""
    return (f"checkpoint.name_or_path={tiny}", "data.prompts=[春]", "decode.max_new_tokens=3", "engine.threads=1")


@pytest.fixture
def doing(rules: Path, common: tuple[str, ...]) -> Callable[..., list[str]]:
    """The arguments of a sweep whose jobs do these things."""

    def arguments(*what: str, **fields: str) -> list[str]:
        more = [f"decode.rule.{name}={value}" for name, value in fields.items()]
        said = ["decode=step", "decode.rule._target_=sweep_rules.Does", f"decode.rule.what={','.join(what)}", *more]
        return ["-m", *common, *said, "hydra.launcher.n_jobs=1", "sweep.wait_s=0"]

    return arguments


def states(home: Path) -> dict[str, str]:
    """What each run did, and how it ended."""
    found = {}
    for path in home.glob("outputs/*/*/status.json"):
        overrides = (path.parent / "overrides.txt").read_text().splitlines()
        what = next(text.partition("=")[2] for text in overrides if "decode.rule.what=" in text)
        found[what] = json.loads(path.read_text())["state"]
    return found


def status(home: Path, what: str) -> dict[str, Any]:
    """status.json of the run that did this."""
    for path in home.glob("outputs/*/*/status.json"):
        if f"what={what}" in (path.parent / "overrides.txt").read_text():
            return json.loads(path.read_text())
    raise AssertionError(what)
