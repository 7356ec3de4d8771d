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
    told = [[json.dumps(config, sort_keys=True) for config in several] for several in (found, configs)]
    assert told[0] == told[1]


def test_a_line_holds_what_differs_from_the_one_before(tmp_path):
    decode = [{"top_k": at} for at in (1, 2, 2)]
    written(tmp_path, *({"task": {"name": "a"}, "decode": one} for one in decode))
    lines = [json.loads(line) for line in (tmp_path / "plan.jsonl").open()]
    assert [line["config"] for line in lines] == [
        {"task": {"name": "a"}, "decode": decode[0]},
        {"decode": decode[1]},
        {},
    ]
    assert [line["same"] for line in lines] == [[], ["task"], ["task", "decode"]]


def test_a_plan_goes_on_behind_a_torn_line(tmp_path):
    configs = [{"task": {"name": "a"}, "decode": {"top_k": at}} for at in range(3)]
    written(tmp_path, *configs[:2])
    whole = (tmp_path / "plan.jsonl").read_bytes()
    (tmp_path / "plan.jsonl").write_bytes(whole + whole[:40])
    listed = Plan(tmp_path, writes=False)
    listed.mend()
    assert listed.size == 2 and (tmp_path / "plan.jsonl").read_bytes() == whole + whole[:40]
    plan = Plan(tmp_path)
    plan.mend()
    plan.append(jobs(*configs)[2])
    plan.close()
    assert [job.config for job in Plan(tmp_path)] == configs


def test_lines_that_hold_everything_are_read_too(tmp_path):
    several = jobs(*({"task": {"name": "a"}, "decode": {"top_k": at}} for at in range(3)))
    (tmp_path / "plan.jsonl").write_text("".join(json.dumps(vars(job)) + "\n" for job in several))
    assert list(Plan(tmp_path)) == several
