"""What a person at a terminal sees of a sweep: a live table that goes when it ends, and lines that stay."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest

from runner.sweep.plan import Job
from runner.sweep.view import View
from runner.sweep.worker import Outcome
from tests.conftest import ROOT


def shown(arguments, home, path):
    """What a sweep writes to a terminal of 150 columns, without the codes that move the cursor."""
    ours, theirs = pty.openpty()
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT}:{path}",
        "COLUMNS": "150",
        "TERM": "xterm",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "runner", *arguments]
    process = subprocess.Popen(command, cwd=home, env=environment, stdout=theirs, stderr=theirs, stdin=theirs)
    os.close(theirs)
    said = b""
    try:
        while block := os.read(ours, 65536):
            said += block
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(ours)
        process.wait(timeout=60)
    return process.returncode, re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said.decode(errors="replace"))


def test_jobs_under_way_have_a_line_each_with_how_far_they_are(cli, doing, rules):
    arguments = [text for text in doing("slow", "work") if not text.startswith("data.prompts")]
    code, said = shown([*arguments, "data.prompts=[春,江,花,月]", "engine.slots=1"], cli.home, rules)
    assert code == 0, said
    assert re.search(r"of 2 done · 1 running\s+decode.rule.what=slow  \w+ [123]/4 · ", said), said[:3000]
    assert "best well-formed" in said and "ties with 1" in said


@pytest.mark.parametrize(("larger", "values", "best"), [(True, (1, 3, 3, 3), 2), (False, (3, 1, 1, 2), 2)])
def test_the_best_is_the_cheapest_of_those_that_no_other_one_beats(larger, values, best):
    view = View(("loss", larger))
    for number, (value, seconds) in enumerate(zip(values, (1.0, 3.0, 2.0, 2.0), strict=True)):
        job = Job(number, number, "", [], [f"seed={number}"], "", {})
        view.ended(job, Outcome("done", fresh=False, seconds=seconds, metrics={"loss": {"value": value}}))
    assert view.best == (values[best], 2.0, Job(best, best, "", [], [f"seed={best}"], "", {}))
