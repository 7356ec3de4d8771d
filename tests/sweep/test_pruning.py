"""What is clearly worse in the middle is given up, while it answers and while it trains, here and over a launcher."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from runner.sweep.pruning import Best
from tests.sweep.trials import study

LINE = "春山水月花江天人日夜云雨雪白青红一二三千万里空明来去归长短高低远近上下东西南北\n"


@pytest.fixture
def unlike(tiny, tmp_path):
    """Two checkpoints, the second much worse; a file of rows that keep either busy for a while."""
    import torch
    from transformers import GPT2LMHeadModel

    worse = tmp_path / "worse"
    model = GPT2LMHeadModel.from_pretrained(tiny)
    with torch.no_grad():
        model.transformer.wte.weight *= 4
    model.save_pretrained(worse)
    for path in tiny.iterdir():
        if not (worse / path.name).exists():
            (worse / path.name).write_bytes(path.read_bytes())
    rows = tmp_path / "rows.txt"
    rows.write_text(LINE * 1200)
    return [f"checkpoint.name_or_path={tiny},{worse}", "data=files", f"data.path={rows}"]


def statuses(home):
    return [json.loads(path.read_text()) for path in home.glob("outputs/*/*/status.json")]


@pytest.mark.parametrize(("launcher", "pruner"), [("local", "median"), ("local", "wilcoxon"), ("joblib", "median")])
def test_a_worse_checkpoint_is_given_up_among_its_rows(cli, unlike, launcher, pruner):
    ended = cli(
        "-m", *unlike, "mode=evaluate", "engine.threads=1", "engine.batch_tokens=512", "data.window_rows=100",
        "seed=tag(int,interval(0,1000))", "hydra/sweeper=search", "hydra.sweeper.sampler=random",
        "hydra.sweeper.n_trials=7", "hydra.sweeper.startup=2", f"hydra.sweeper.pruner={pruner}",
        "hydra.sweeper.metric=loss", f"hydra/launcher={launcher}", "hydra.launcher.n_jobs=1",
    )  # fmt: skip
    assert ended.code == 0, ended.out + ended.err
    worse = {
        trial.number for trial in study(cli.home).trials if trial.params["checkpoint.name_or_path"].endswith("worse")
    }
    pruned = {trial.number for trial in study(cli.home).trials if trial.state.name == "PRUNED"}
    assert pruned and pruned <= worse
    assert Counter(status["state"] for status in statuses(cli.home)) == {"done": 7 - len(pruned), "pruned": len(pruned)}
    for status in statuses(cli.home):
        assert status["state"] == "done" or status["error"].startswith("given up at ")


def test_a_rate_that_teaches_nothing_is_given_up_between_its_steps(cli, tiny, tmp_path):
    (tmp_path / "lines").mkdir()
    for name in ("train", "validation"):
        (tmp_path / "lines" / f"{name}.txt").write_text(LINE * 40)
    ended = cli(
        "-m", f"checkpoint.name_or_path={tiny}", f"data.path={tmp_path / 'lines'}", "train=full", "engine.threads=1",
        "train.max_steps=60", "train.evaluate_every=5", "train.batch_size=4",
        "train.learning_rate=1e-2,1e-9", "seed=tag(int,interval(0,1000))", "hydra/sweeper=search",
        "hydra.sweeper.sampler=random", "hydra.sweeper.n_trials=6", "hydra.sweeper.startup=2",
        "hydra.sweeper.pruner=median", "hydra.sweeper.metric=loss", "hydra.launcher.n_jobs=1",
    )  # fmt: skip
    assert ended.code == 0, ended.out + ended.err
    pruned = [trial for trial in study(cli.home).trials if trial.state.name == "PRUNED"]
    useless = [trial.number for trial in study(cli.home).trials if trial.params["train.learning_rate"] == "1e-09"]
    assert {number for number in useless if number >= 2} <= {trial.number for trial in pruned}
    assert pruned and all(max(trial.intermediate_values) < 60 for trial in pruned)


def lines(folder, values):
    folder.mkdir()
    rows = (json.dumps({"row": at, "scores": {"right": value}}) for at, value in enumerate(values))
    (folder / "predictions.jsonl").write_text("\n".join(rows) + "\n")
    return folder


@pytest.mark.parametrize(
    ("other", "larger", "worse"),
    [
        # 8 rows lower by 1 to 8: the rank sum of the positive ones is 0, z = (0 - 18) / sqrt(51) = -2.52, p = 0.006
        ([10 - at for at in range(1, 9)], 1, True),
        ([10 - at for at in range(1, 9)], -1, False),
        ([10 + at for at in range(1, 9)], -1, True),
        # two of three lower: z = (3 - 3) / sqrt(3.5) = 0
        ([9, 8, 13], 1, False),
        ([10] * 8, 1, False),
    ],
)  # fmt: skip
def test_rows_are_compared_by_their_signed_ranks(tmp_path, other, larger, worse):
    best = lines(tmp_path / "best", [10] * 8)
    assert Best().beats(best, "right", dict(enumerate(other)), larger) is worse
    assert not Best().beats(best, "right", {99: 0.0}, 1)  # no row that both have
