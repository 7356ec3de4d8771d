"""Prompts that leave no room for an answer: told before their window is answered, and nothing answered is lost."""

from __future__ import annotations

import json

import pytest

LONG = "山" * 70


@pytest.fixture
def arguments(tiny):
    return ("checkpoint=pretrained", f"checkpoint.name_or_path={tiny}", "data=files", "data.path=rows.txt",
            "engine.threads=1", "decode.max_new_tokens=5", "data.window_rows=4")  # fmt: skip


def write(cli, *texts):
    (cli.home / "rows.txt").write_text("".join(f"{text}\n" for text in texts))


def lines(cli):
    return [json.loads(line) for line in (cli.runs[0] / "predictions.jsonl").read_text().splitlines()]


def test_long_prompts_of_a_window_are_told_together_before_any_answer(cli, arguments):
    write(cli, "山水", LONG, "春风", LONG)
    ended = cli(*arguments)
    assert ended.code == 2  # no row was answered
    assert ended.err.splitlines()[:3] == [
        "rows.txt:2: the prompt has 71 tokens, the context of tiny is 64",
        "rows.txt:4: the prompt has 71 tokens, the context of tiny is 64",
        "2 of 4 prompts are too long; data.on_long_row=truncate cuts their beginning, skip leaves them out",
    ]
    assert not (cli.runs[0] / "predictions.jsonl").exists() or lines(cli) == []


@pytest.fixture
def half(cli, arguments):
    """Four rows answered, then a long one is met."""
    write(cli, *["山水", "春风", "明月", "江天"] * 2, LONG, "花鸟")
    ended = cli(*arguments, "engine.slots=2")
    assert ended.code == 1
    assert cli.status()["state"] == "failed"
    return sorted(lines(cli), key=lambda line: line["row"])


@pytest.mark.parametrize(("policy", "note"), [("skip", "skipped"), ("truncate", "truncated")])
def test_another_policy_goes_on_where_a_long_row_ended_the_run(cli, arguments, half, policy, note):
    ended = cli(*arguments, f"data.on_long_row={policy}")
    assert ended.code == 0, ended.err
    assert f"{len(half)} of 10 rows kept from before" in ended.out
    assert len(half) >= 4
    assert [line for line in lines(cli) if line["row"] in {one["row"] for one in half}] == half
    assert [line.get("note", "").partition(":")[0] for line in lines(cli)] == [""] * 8 + [note, ""]


def test_another_policy_answers_again_only_the_rows_that_it_concerns(cli, arguments, half):
    assert cli(*arguments, "data.on_long_row=skip").code == 0
    skipped = lines(cli)
    again = cli(*arguments, "data.on_long_row=truncate")
    assert "9 of 10 rows kept from before" in again.out
    truncated = lines(cli)
    assert [one for one in truncated if one["row"] != 8] == [one for one in skipped if one["row"] != 8]
    assert truncated[8]["note"] == "truncated: the prompt has 71 tokens, the context of tiny is 64"
    assert cli(*arguments, "data.on_long_row=truncate", "seed=0").out.count("kept from before") == 0
    refused = cli(*arguments)
    assert (refused.code, "rows.txt:9: the prompt has 71 tokens" in refused.err) == (1, True)
    assert len(lines(cli)) == 9


def test_rows_that_fit_are_the_same_run_under_any_policy(cli, arguments):
    write(cli, "山水", "春风")
    assert cli(*arguments).code == 0
    assert "shown from" in cli(*arguments, "data.on_long_row=skip").out
    assert len(cli.runs) == 1


def test_a_cut_prompt_keeps_its_start_token_and_leaves_room_for_an_answer(cli, tiny, monkeypatch):
    """[CLS], the end of the prompt, and half of the context of 64 for the 64 new tokens that are usual."""
    import runner.prompts

    seen = []
    fitted = runner.prompts.fitted

    def kept(*arguments):
        seen.extend(fitted(*arguments))
        return seen

    monkeypatch.setattr("runner.predict.fitted", kept)
    write(cli, "山" * 40 + "水" * 30)
    common = ("checkpoint=pretrained", f"checkpoint.name_or_path={tiny}", "data=files", "data.path=rows.txt",
              "engine.threads=1", "data.on_long_row=truncate")  # fmt: skip
    assert cli(*common).code == 0
    (prompt,) = seen
    ids = prompt["input_ids"]
    assert ids[0] == 2 and len(ids) == 32
    assert len(set(ids[2:])) == 1
    (run,) = cli.runs
    assert 0 < json.loads((run / "predictions.jsonl").read_text())["tokens"] <= 32


def test_a_prompt_longer_than_max_length_is_told_and_truncate_helps(cli, arguments):
    write(cli, "山水春风明月", "山")
    given = [one for one in arguments if "max_new_tokens" not in one] + ["decode.max_length=4"]
    ended = cli(*given)
    assert (
        "rows.txt:1: the prompt has 7 tokens, decode.max_length is 4, prompt included; data.on_long_row=truncate"
        in (ended.err)
    )
    assert cli(*given, "data.on_long_row=truncate").code == 0
    assert lines(cli)[0]["prediction"].startswith("月")
    assert lines(cli)[0]["tokens"] <= 2


def test_a_max_length_without_room_for_a_prompt_is_told(cli, arguments):
    write(cli, "山水")
    given = [one for one in arguments if "max_new_tokens" not in one] + ["decode.max_length=1"]
    ended = cli(*given, "data.on_long_row=truncate")
    assert "no prompt leaves room for a new token: decode.max_length is 1, prompt included" in ended.err


def test_a_device_that_is_not_here_is_refused_before_anything_is_written(cli, arguments):
    import torch

    write(cli, "山水")
    ended = cli(*arguments, f"engine.device=cuda:{torch.cuda.device_count()}")
    assert ended.code == 2
    assert "CUDA devices here" in ended.err
    assert not (cli.home / "outputs").exists()
