"""A plan gives back the jobs that were written into it."""

from __future__ import annotations

import json

from runner.sweep.plan import Job, Plan


def jobs(*configs):
    return [Job(at, at, f"{at:08}", [f"seed={at}"], [], "", config) for at, config in enumerate(configs)]


def written(folder, *configs):
    plan = Plan(folder)
    for job in jobs(*configs):
        plan.append(job)
    plan.close()
    return list(Plan(folder))


def test_a_section_that_two_jobs_have_in_common_is_held_once(tmp_path):
    one, two, three = written(tmp_path, *({"task": {"name": "a"}, "decode": {"top_k": at // 2}} for at in range(3)))
    assert one.config["task"] is two.config["task"] is three.config["task"]
    assert one.config["decode"] is two.config["decode"] and three.config["decode"] == {"top_k": 1}


def test_what_is_equal_but_not_the_same_stays_apart(tmp_path):
    configs = [{"options": {"x": 1}, "mode": None}, {"options": {"x": True}, "mode": None}, {"options": {"x": 1.0}}, {}]
    found = [job.config for job in written(tmp_path, *configs)]
    assert [json.dumps(config) for config in found] == [json.dumps(config) for config in configs]
