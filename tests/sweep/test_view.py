"""What is told while a sweep works."""

from __future__ import annotations

import pytest

from runner.sweep.plan import Job
from runner.sweep.view import View
from runner.sweep.worker import Outcome


@pytest.mark.parametrize(("larger", "values", "best"), [(True, (1, 3, 3), 1), (False, (3, 1, 1), 1)])
def test_the_best_is_the_first_that_no_other_one_beats(larger, values, best):
    view = View(("loss", larger))
    for number, value in enumerate(values):
        job = Job(number, number, "", [], [f"seed={number}"], "", {})
        view.ended(job, Outcome("done", fresh=False, metrics={"loss": {"value": value}}))
    assert view.best == (values[best], Job(best, best, "", [], [f"seed={best}"], "", {}))
