"""Every task runs on a fresh machine, from the checkpoint and the data that its YAML names."""

import json

import pytest

from runner.usage import config_dir

TASKS = sorted(path.stem for path in (config_dir() / "task").glob("*.yaml"))
SCORED_TEXTS = {("masked_lm", "evaluate"), ("pretraining", "evaluate"), ("causal_lm", "evaluate")}  # no blanks there
OWN = ("zero_shot_classification",)  # names no checkpoint: none of ours was taught inference


@pytest.mark.parametrize("task", [task for task in TASKS if task not in OWN])
@pytest.mark.parametrize("mode", ["predict", "evaluate"])
def test_one_command_answers_and_one_scores(cli, task, mode):
    data = ["data=poems_small"] if (task, mode) in SCORED_TEXTS else []
    ended = cli(f"task={task}", f"mode={mode}", "data.limit=6", "decode.max_new_tokens=4", *data)
    assert ended.code == 0, ended.err
    (run,) = cli.runs
    lines = [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]
    assert 4 <= len(lines) <= 6 and all(line["prediction"] is not None for line in lines)
    metrics = json.loads((run / "metrics.json").read_text())
    assert all(number["low"] <= number["value"] <= number["high"] for number in metrics.values())
    assert metrics or mode == "predict" or task == "features"


@pytest.mark.parametrize("task", ["text_retrieval", "question_answering", "seq2seq_lm", "token_classification"])
def test_one_command_trains(cli, task):
    short = ("train.max_steps=2", "train.evaluate_every=2", "train.save_every=2", "train.batch_size=4", "data.limit=8")
    ended = cli(f"task={task}", "train=full", *short, "decode.max_new_tokens=4")
    assert ended.code == 0, ended.err
    (run,) = cli.runs
    assert (run / "checkpoint" / "model.safetensors").is_file() and json.loads((run / "metrics.json").read_text())
