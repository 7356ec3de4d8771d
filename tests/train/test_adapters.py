"""LoRA: what is trained, what is left, and what a training that was stopped comes to."""

import json
import signal

import pytest
import torch

from tests.conftest import VOCABULARY
from tests.train.test_training import LINES, poems, train  # noqa: F401

LORA = ("train=lora", "train.lora.rank=4")


def ids(run):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(run / "checkpoint")(LINES[0], return_tensors="pt").input_ids


def best_loss(run):
    history = [json.loads(line) for line in (run / "training.jsonl").read_text().splitlines()]
    return min(entry["eval_loss"] for entry in history if "eval_loss" in entry)


def loss_of(network, tokenizer, path):
    """Mean over the predicted tokens of a file."""
    total = count = 0
    for line in path.read_text().splitlines():
        tokens = tokenizer(json.loads(line)["text"], return_tensors="pt").input_ids
        total += network(tokens, labels=tokens).loss.item() * (tokens.shape[1] - 1)
        count += tokens.shape[1] - 1
    return total / count


@pytest.mark.parametrize("variant", ["lora", "dora", "rslora"])
def test_merged_weights_are_plain_ones_that_answer_like_the_adapter(cli, tiny, poems, variant):  # noqa: F811
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ended = train(cli, tiny, poems, *LORA, f"train.lora.variant={variant}", "train.max_steps=20")
    assert ended.code == 0, ended.err
    # two layers of 32 x 96, 32 x 32, 32 x 128, 128 x 32 beside matrices of rank 4; dora: a length for each output
    size = len(VOCABULARY) * 32 + 64 * 32 + 2 * (12 * 32 * 32 + 13 * 32) + 2 * 32
    beside = 2 * 4 * (32 + 96 + 32 + 32 + 32 + 128 + 128 + 32) + (2 * (96 + 32 + 128 + 32) if variant == "dora" else 0)
    assert f"trains {beside:,} of {size:,} parameters" in ended.out
    (run,) = cli.runs
    assert {path.name for path in (run / "checkpoint").iterdir()} >= {"config.json", "model.safetensors"}
    assert not (run / "checkpoint" / "adapter_config.json").exists()
    network = AutoModelForCausalLM.from_pretrained(run / "checkpoint")
    before = AutoModelForCausalLM.from_pretrained(tiny)
    tokenizer = AutoTokenizer.from_pretrained(run / "checkpoint")
    after = loss_of(network, tokenizer, poems / "valid.jsonl")
    assert after == pytest.approx(best_loss(run), abs=1e-4)  # computed with the matrices beside the weights
    assert after < loss_of(before, tokenizer, poems / "valid.jsonl") - 0.2
    assert torch.equal(network.transformer.wte.weight, before.transformer.wte.weight)


def test_the_adapter_alone_is_loaded_by_plain_peft_and_by_plain_transformers(cli, tiny, poems):  # noqa: F811
    from peft import AutoPeftModelForCausalLM, PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ended = train(cli, tiny, poems, *LORA, "train.lora.merge=false", "train.max_steps=20")
    assert ended.code == 0, ended.err
    (run,) = cli.runs
    folder = run / "checkpoint"
    names = {path.name for path in folder.iterdir()}
    assert names >= {"adapter_config.json", "adapter_model.safetensors", "config.json", "tokenizer.json"}
    assert "model.safetensors" not in names
    assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == str(tiny)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    by_peft = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny), folder)
    assert loss_of(by_peft, tokenizer, poems / "valid.jsonl") == pytest.approx(best_loss(run), abs=1e-4)
    by_transformers = AutoModelForCausalLM.from_pretrained(tiny)
    by_transformers.load_adapter(folder)
    alone = AutoPeftModelForCausalLM.from_pretrained(folder)
    merged = by_peft.merge_and_unload()
    for network in (by_transformers, alone):
        assert torch.allclose(network(ids(run)).logits, merged(ids(run)).logits, atol=1e-5)
    metrics = json.loads((run / "metrics.json").read_text())  # of the adapter, read again by this runner
    expected = loss_of(merged, tokenizer, poems / "test.jsonl")
    assert metrics["loss"]["value"] == pytest.approx(expected, abs=0.2)


def test_a_run_that_left_an_adapter_is_not_trained_again(cli, tiny, poems):  # noqa: F811
    arguments = (*LORA, "train.lora.merge=false")
    assert train(cli, tiny, poems, *arguments).code == 0
    (run,) = cli.runs
    for name in ("predictions.jsonl", "metrics.json", "status.json"):
        (run / name).unlink()
    ended = train(cli, tiny, poems, *arguments)
    assert ended.code == 0, ended.err
    assert "trains" not in ended.out
    assert (run / "metrics.json").exists()


@pytest.mark.parametrize(
    "method", [("train=lora",), ("train=lora", "train.lora.variant=dora"), ("train.frozen_layers=1",)]
)
def test_a_stopped_training_goes_on_to_the_same_weights(cli, tiny, poems, monkeypatch, method):  # noqa: F811
    """Dropout is on; what is trained comes back from the sealed checkpoint, the rest from the one it began with."""
    from runner.train.watch import Watch

    more = (*method, "train.max_steps=12", "train.lora.dropout=0.1")
    assert train(cli, tiny, poems, *more, "output_dir=whole").code == 0
    step = Watch.on_step_end

    def stopping(self, args, state, control, **rest):
        if state.global_step == 6:
            signal.raise_signal(signal.SIGTERM)
        step(self, args, state, control, **rest)

    monkeypatch.setattr(Watch, "on_step_end", stopping)
    ended = train(cli, tiny, poems, *more)
    assert (ended.code, "stopped at step 6 of 12" in ended.out + ended.err) == (75, True), ended.err
    (half,) = cli.home.glob("outputs/*/*/training/checkpoint-6/model.safetensors")
    assert half.stat().st_size < (tiny / "model.safetensors").stat().st_size
    monkeypatch.undo()
    monkeypatch.chdir(cli.home)
    ended = train(cli, tiny, poems, *more)
    assert ended.code == 0, ended.err
    assert "continuing at step 6 (sealed checkpoint)" in ended.out
    (whole,) = cli.home.glob("whole/*/*/checkpoint/model.safetensors")
    (halves,) = cli.home.glob("outputs/*/*/checkpoint/model.safetensors")
    assert whole.read_bytes() == halves.read_bytes()
