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


@pytest.fixture
def labelled(tmp_path):
    """Poems that name the season in their first character; the classes are as many as asked for."""

    def write(count):
        folder = tmp_path / f"labels{count}"
        folder.mkdir()
        texts = [(character + LINES[i % 6], character) for i, character in enumerate("春秋天人日"[:count] * 6)]
        for split in ("train", "valid", "test"):
            rows = [json.dumps({"text": text, "label": label}) for text, label in texts]
            (folder / f"{split}.jsonl").write_text("\n".join(rows))
        return folder

    return write


def classify(cli, checkpoint, data, *more):
    before = set(cli.runs)
    ended = cli("task=sequence_classification", f"checkpoint.name_or_path={checkpoint}", f"data.path={data}",
                "engine.threads=1", *more)  # fmt: skip
    assert ended.code == 0, ended.err
    (run,) = set(cli.runs) - before
    return ended.out, run


STEPS = ("train.max_steps=4", "train.evaluate_every=4", "train.save_every=4", "train.batch_size=6")


def test_a_new_head_is_told_and_its_labels_survive_in_an_adapter(cli, tiny, labelled):
    texts = cli.home / "texts.jsonl"
    texts.write_text(json.dumps({"text": LINES[0]}))
    told, _ = classify(cli, tiny, texts)
    assert (
        "the head of tiny is new and random (1 weight tensor): its answers mean nothing until it is trained "
        "(train=full or train=head)"
    ) in told
    data = labelled(3)
    told, run = classify(cli, tiny, data, "train=lora", "train.lora.merge=false", *STEPS)
    assert "the head of tiny is new (1 weight tensor): it will be trained" in told
    names = json.loads((run / "checkpoint" / "config.json").read_text())["id2label"]
    assert set(names.values()) == set("春秋天")
    told, again = classify(cli, run / "checkpoint", data, "mode=evaluate")
    assert "new" not in told
    first, second = (json.loads((one / "metrics.json").read_text()) for one in (run, again))
    assert second["accuracy"] == first["accuracy"]


@pytest.mark.parametrize("method", [["train=full"], ["train=head"], ["train=lora"]])
def test_a_head_of_other_labels_is_replaced_when_training_decides_them(cli, tiny, labelled, method):
    _, first = classify(cli, tiny, labelled(2), "train=head", *STEPS)
    told, run = classify(cli, first / "checkpoint", labelled(4), *method, *STEPS)
    assert "the head of checkpoint is new (1 weight tensor): it will be trained" in told
    assert len(json.loads((run / "checkpoint" / "config.json").read_text())["id2label"]) == 4


def test_an_adapter_is_trained_further_into_plain_weights(cli, tiny, labelled):
    from transformers import AutoModelForSequenceClassification

    data = labelled(3)
    _, first = classify(cli, tiny, data, "train=lora", "train.lora.merge=false", *STEPS)
    told, run = classify(cli, first / "checkpoint", data, "train=lora", *STEPS)
    assert "new" not in told
    assert AutoModelForSequenceClassification.from_pretrained(run / "checkpoint").config.num_labels == 3
    ended = cli("task=sequence_classification", f"checkpoint.name_or_path={first / 'checkpoint'}", f"data.path={data}",
                "train=lora", "train.lora.merge=false", *STEPS)  # fmt: skip
    assert ended.code == 2
    assert "train.lora.merge  must be true: checkpoint is an adapter, no base for another one" in ended.err


@pytest.mark.parametrize("merge", ["true", "false"])
def test_the_weights_are_stored_in_the_precision_asked_for(cli, tiny, poems, merge):  # noqa: F811
    from safetensors.torch import load_file

    ended = train(cli, tiny, poems, *LORA, f"train.lora.merge={merge}", "train.export_dtype=bfloat16")
    assert ended.code == 0, ended.err
    name = "model.safetensors" if merge == "true" else "adapter_model.safetensors"
    weights = load_file(cli.runs[0] / "checkpoint" / name)
    assert {tensor.dtype for tensor in weights.values()} == {torch.bfloat16}
