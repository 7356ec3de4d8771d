import json

import pytest
import torch

LINES = ["春风花月夜，", "江山来去空。", "白云千里远，", "明月万里东。", "天高人日短，", "雨雪北南红。"]


@pytest.fixture
def poems(tmp_path):
    folder = tmp_path / "poems"
    folder.mkdir()
    for split, count in (("train", 24), ("valid", 6), ("test", 6)):
        texts = [LINES[i % 6] + LINES[(i * 5 + 1) % 6] for i in range(count)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    return folder


def train(cli, tiny, poems, *more):
    return cli(
        "train=full", "engine.threads=1", f"checkpoint.name_or_path={tiny}", f"data.path={poems}", "train.max_steps=8",
        "train.batch_size=6", "train.evaluate_every=4", "train.save_every=4", "train.log_every=2",
        "train.learning_rate=1e-2", *more,
    )  # fmt: skip


def test_training_lowers_the_loss_and_leaves_a_checkpoint_that_plain_transformers_loads(cli, tiny, poems):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ended = train(cli, tiny, poems, "train.max_steps=20")
    assert ended.code == 0, ended.err
    (run,) = cli.runs
    history = [json.loads(line) for line in (run / "training.jsonl").read_text().splitlines()]
    losses = [entry["loss"] for entry in history if "loss" in entry]
    assert losses[-1] < losses[0] - 0.5
    network = AutoModelForCausalLM.from_pretrained(run / "checkpoint")
    ids = AutoTokenizer.from_pretrained(run / "checkpoint")(LINES[0], return_tensors="pt").input_ids
    assert network(ids, labels=ids).loss < losses[0]
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["perplexity"]["n"] == 6
    assert not (run / "training").exists()


def test_validation_loss_is_that_of_a_plain_forward_pass(cli, tiny, poems):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    assert train(cli, tiny, poems).code == 0
    (run,) = cli.runs
    network = AutoModelForCausalLM.from_pretrained(run / "checkpoint")
    tokenizer = AutoTokenizer.from_pretrained(run / "checkpoint")
    total = count = 0
    for line in (poems / "valid.jsonl").read_text().splitlines():
        ids = tokenizer(json.loads(line)["text"], return_tensors="pt").input_ids
        total += network(ids, labels=ids).loss.item() * (ids.shape[1] - 1)
        count += ids.shape[1] - 1
    history = [json.loads(line) for line in (run / "training.jsonl").read_text().splitlines()]
    best = min(entry["eval_loss"] for entry in history if "eval_loss" in entry)
    assert best == pytest.approx(total / count, abs=1e-4)


def test_the_same_seed_trains_the_same_weights_and_another_seed_others(cli, tiny, poems):
    def weights(*more):
        before = set(cli.runs)
        assert train(cli, tiny, poems, *more).code == 0
        (run,) = set(cli.runs) - before
        return (run / "checkpoint" / "model.safetensors").read_bytes()

    assert weights("output_dir=outputs/a/..", "seed=1") != weights("seed=2")
    first = (cli.runs[0] / "checkpoint" / "model.safetensors").read_bytes()
    assert train(cli, tiny, poems, "seed=1", "rerun=true").code == 0
    again = [(run / "checkpoint" / "model.safetensors").read_bytes() for run in cli.runs]
    assert first in again


def test_training_stops_early_and_keeps_the_best(cli, tiny, poems):
    ended = train(cli, tiny, poems, "train.max_steps=40", "train.learning_rate=0.5", "train.patience=1")
    assert ended.code == 0, ended.err
    assert "stopped early: no better loss in 1 evaluations" in ended.out
    (run,) = cli.runs
    history = [json.loads(line) for line in (run / "training.jsonl").read_text().splitlines()]
    assert max(entry["step"] for entry in history) < 40


def test_each_training_computes_in_the_precision_it_was_asked_for(cli, tiny, poems, monkeypatch):
    """A module that one Trainer has prepared keeps its precision: each run must make a fresh one."""
    from runner.train import lesson

    seen = []
    compute = lesson.Lesson.compute_loss

    def watched(self, model, inputs, *rest, **more):
        def note(module, inputs, output):
            if module.training:  # not the trial of the head, which is in float32
                seen.append(output.dtype)

        hook = model.transformer.h[0].mlp.c_fc.register_forward_hook(note)
        try:
            return compute(self, model, inputs, *rest, **more)
        finally:
            hook.remove()

    monkeypatch.setattr(lesson.Lesson, "compute_loss", watched)
    for precision, dtype in (("bfloat16", torch.bfloat16), ("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        seen.clear()
        ended = train(cli, tiny, poems, f"train.precision={precision}", "train.max_steps=4", "rerun=true")
        assert ended.code == 0, ended.err
        assert set(seen) == {dtype}


def test_random_weights_are_trained_from_nothing(cli, tiny, poems):
    ended = train(
        cli, "null", poems, "checkpoint=random", f"checkpoint.tokenizer={tiny}",
        "checkpoint.architecture={model_type: gpt2, n_layer: 1, n_embd: 16, n_head: 2, n_positions: 32}",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert "random weights" in ended.out


def test_the_loss_shown_is_the_mean_over_predicted_tokens(cli, tiny, poems):
    """Before any weight has changed it is that of a plain forward pass over the texts of the first step."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    config = json.loads((tiny / "config.json").read_text())
    (tiny / "config.json").write_text(json.dumps(config | {"resid_pdrop": 0, "embd_pdrop": 0, "attn_pdrop": 0}))
    ended = train(cli, tiny, poems, "train.batch_size=24", "train.log_every=1", "train.max_steps=4")
    assert ended.code == 0, ended.err
    network, tokenizer = AutoModelForCausalLM.from_pretrained(tiny).eval(), AutoTokenizer.from_pretrained(tiny)
    total = count = 0
    for line in (poems / "train.jsonl").read_text().splitlines():
        ids = tokenizer(json.loads(line)["text"], return_tensors="pt").input_ids
        total += network(ids, labels=ids).loss.item() * (ids.shape[1] - 1)
        count += ids.shape[1] - 1
    first = json.loads((cli.runs[0] / "training.jsonl").read_text().splitlines()[0])
    assert first["loss"] == pytest.approx(total / count, abs=2e-3)


def test_the_best_checkpoint_is_the_best_by_the_metric_that_was_asked_for(cli, tiny, poems):
    ended = train(cli, tiny, poems, "train.max_steps=24", "train.learning_rate=5e-2", "train.metric=accuracy")
    assert ended.code == 0, ended.err
    (run,) = cli.runs
    history = [json.loads(line) for line in (run / "training.jsonl").read_text().splitlines()]
    accuracies = [entry["eval_accuracy"] for entry in history if "eval_accuracy" in entry]
    assert min(accuracies) < max(accuracies)
    ended = cli("mode=evaluate", "engine.threads=1", f"checkpoint.name_or_path={run / 'checkpoint'}",
                f"data.path={poems / 'valid.jsonl'}")  # fmt: skip
    assert ended.code == 0, ended.err
    (again,) = set(cli.runs) - {run}
    kept = json.loads((again / "metrics.json").read_text())["accuracy"]["value"]
    assert kept == pytest.approx(max(accuracies), abs=1e-6)


def test_a_metric_that_the_task_does_not_have_is_refused_before_any_work(cli, tiny, poems):
    ended = train(cli, tiny, poems, "train.metric=acuracy")
    assert ended.code == 2 and not cli.runs
    assert "train.metric  acuracy is no number of task causal_lm; known: loss, perplexity, bits_per_byte" in ended.err


def test_arguments_that_the_trainer_does_not_take_are_told(cli, tiny, poems):
    ended = train(cli, tiny, poems, "train.arguments.gradient_acumulation_steps=2")
    assert ended.code == 2
    assert "train.arguments.gradient_acumulation_steps  no such argument; nearest: gradient_accumulation_steps" in (
        ended.err
    )


@pytest.mark.parametrize("argument", ["lr_scheduler_type=foo", "gradient_accumulation_steps=abc", "max_grad_norm=x"])
def test_values_that_the_trainer_does_not_take_are_refused_before_any_work(cli, tiny, poems, argument):
    ended = train(cli, tiny, poems, f"train.arguments.{argument}")
    assert ended.code == 2 and "train.arguments" in ended.err and "Traceback" not in ended.err
    assert not cli.runs
