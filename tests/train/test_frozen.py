"""Heads on frozen bodies, and frozen first layers, for bodies of several kinds."""

import json
from types import SimpleNamespace

import pytest
import torch

from runner.compose import compose
from runner.config import freeze
from runner.errors import ConfigError
from runner.train.adapt import adapt
from tests.train.test_training import poems, train  # noqa: F401

SIZES = {"vocab_size": 20, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}


def bert(kind="SequenceClassification", **more):
    import transformers

    return getattr(transformers, f"BertFor{kind}")(transformers.BertConfig(**SIZES, max_position_embeddings=16, **more))


def gpt2(kind="LMHeadModel"):
    import transformers

    config = transformers.GPT2Config(vocab_size=20, n_positions=16, n_embd=16, n_layer=3, n_head=2, pad_token_id=0)
    return getattr(transformers, f"GPT2{kind}")(config)


def bart(kind="SequenceClassification"):
    import transformers

    config = transformers.BartConfig(
        vocab_size=20, d_model=16, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=16,
    )  # fmt: skip
    return getattr(transformers, f"BartFor{kind}")(config)


def distilbert():
    import transformers

    config = transformers.DistilBertConfig(vocab_size=20, dim=16, n_layers=2, n_heads=2, hidden_dim=32)
    return transformers.DistilBertForSequenceClassification(config)


def vit():
    import transformers

    sizes = {name: SIZES[name] for name in SIZES if name != "vocab_size"}
    return transformers.ViTForImageClassification(transformers.ViTConfig(**sizes, image_size=8, patch_size=4))


def adapted(network, *overrides, new=()):
    """What is said, and the names that are trained."""
    config = freeze(compose(["data=poems_small", *overrides]))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    model = SimpleNamespace(name="tiny", network=network, parameters=parameters, random_weights=list(new))
    said = []
    tuner = adapt(config, model, said.append)
    return said, {n for n, p in network.named_parameters() if p.requires_grad}, tuner


def tops(names):
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize(("make", "head"), [
    (bert, {"classifier"}), (bart, {"classification_head"}), (distilbert, {"pre_classifier", "classifier"}),
    (vit, {"classifier"}), (lambda: bert("TokenClassification"), {"classifier"}),
    (lambda: gpt2("ForSequenceClassification"), {"score"}), (lambda: bert("MaskedLM"), {"cls"}),
])  # fmt: skip
def test_the_head_is_what_lies_outside_of_the_body(make, head):
    said, trained, _ = adapted(network := make(), "train=head")
    assert tops(trained) == head
    count = sum(p.numel() for p in network.parameters() if p.requires_grad)
    (line,) = said
    assert line.startswith(f"trains {count:,} of ")


def test_a_pooler_that_the_checkpoint_did_not_have_is_trained_with_the_head():
    new = ["bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight"]
    _, trained, _ = adapted(bert(), "train=head", new=new)
    assert trained == {"bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight", "classifier.bias"}


def test_a_head_that_is_tied_to_the_embeddings_is_none():
    with pytest.raises(ConfigError, match=r"tiny has no head of its own \(GPT2LMHeadModel\): train=lora or train=full"):
        adapted(gpt2(), "train=head")


def test_first_layers_and_the_embeddings_below_them_are_frozen():
    _, trained, _ = adapted(bert(), "train=full", "train.frozen_layers=2")
    assert {name.rpartition("layer.")[2][:1] for name in trained if "layer." in name} == {"2"}
    assert not [name for name in trained if "embeddings" in name]
    assert {"bert.pooler.dense.weight", "classifier.weight"} <= trained
    _, trained, _ = adapted(gpt2(), "train=full", "train.frozen_layers=1")
    assert {".".join(name.split(".")[1:3]) for name in trained} == {"h.1", "h.2", "ln_f.weight", "ln_f.bias"}
    _, trained, _ = adapted(vit(), "train=full", "train.frozen_layers=3")
    assert not [name for name in trained if "embeddings" in name or ".layer" in name.replace(".layernorm", "")]
    _, trained, _ = adapted(bart(), "train=full", "train.frozen_layers=1")
    assert {n.partition("layers.")[2][:1] for n in trained if "layers." in n} == {"1"}
    assert not [name for name in trained if "shared" in name or "embed_" in name]


def test_more_frozen_layers_than_there_are_are_refused():
    with pytest.raises(ConfigError, match="train.frozen_layers  is 4, but tiny has 3 layers"):
        adapted(bert(), "train=full", "train.frozen_layers=4")


@pytest.mark.parametrize(
    "make", [bert, bart, distilbert, vit, gpt2, lambda: bert("MaskedLM"), lambda: bart("ConditionalGeneration")]
)
def test_matrices_lie_beside_every_linear_layer_of_the_body_and_the_head_is_trained_whole(make):
    from transformers.pytorch_utils import Conv1D

    network = make()
    linear = [n for n, m in network.base_model.named_modules() if isinstance(m, torch.nn.Linear | Conv1D)]
    base, head = type(network.base_model), network.get_output_embeddings() is None
    _, trained, tuner = adapted(network, "train=lora", "train.lora.rank=2")
    assert isinstance(network.base_model, base)
    assert sum("lora_A" in name for name in trained if name.startswith(network.base_model_prefix)) == len(linear)
    assert all("lora_" in name or "modules_to_save" in name for name in trained)
    assert any("modules_to_save" in name for name in trained) == head
    assert not any("lora_" in name for name, _ in tuner.merge_and_unload().named_parameters())


def test_new_weights_in_the_body_are_trained_whole_beside_matrices():
    _, trained, _ = adapted(bert(), "train=lora", new=["bert.pooler.dense.weight", "bert.pooler.dense.bias"])
    assert {name for name in trained if "pooler" in name} == {
        "bert.pooler.dense.modules_to_save.default.weight", "bert.pooler.dense.modules_to_save.default.bias",
    }  # fmt: skip


def test_matrices_go_where_they_were_asked_for():
    _, trained, _ = adapted(bert(), "train=lora", "train.lora.targets=[query,value]")
    assert {name.split(".")[-4] for name in trained if "lora_" in name} == {"query", "value"}
    with pytest.raises(
        ConfigError, match="train.lora.targets  quary is no layer of BertForSequenceClassification; linear"
    ):
        adapted(bert(), "train=lora", "train.lora.targets=[query,quary]")
    with pytest.raises(ConfigError, match="train.lora.targets  cannot be adapted: Target module"):
        adapted(bert(), "train=lora", "train.lora.targets=[LayerNorm]")


@pytest.mark.parametrize("overrides", [("train=head",), ("train=full", "train.frozen_layers=1"), ("train=lora",)])
def test_the_optimizer_holds_trained_weights_alone(overrides, tmp_path):
    from transformers import Trainer, TrainingArguments

    network = bert()
    _, trained, _ = adapted(network, *overrides)
    arguments = TrainingArguments(output_dir=str(tmp_path), report_to="none", use_cpu=True)
    optimizer = Trainer(network, arguments).create_optimizer()
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for n, p in network.named_parameters() if n in trained}


def test_muon_takes_the_layers_that_are_trained(cli, tiny, poems):  # noqa: F811
    from safetensors.torch import load_file

    ended = train(cli, tiny, poems, "train.frozen_layers=1", "train.optimizer=muon")
    assert ended.code == 0, ended.err
    before, after = (load_file(f / "model.safetensors") for f in (tiny, cli.runs[0] / "checkpoint"))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {".".join(name.split(".")[:3]) for name in changed} == {
        "transformer.h.1",
        "transformer.ln_f.weight",
        "transformer.ln_f.bias",
    }


@pytest.mark.parametrize(("overrides", "told"), [
    (["train=lora", "train.optimizer=muon"], "train.optimizer  muon is for whole matrices, but lora"),
    (["train=head", "train.frozen_layers=1"], "train.frozen_layers  is for train.method=full: head"),
    (["train=lora", "checkpoint=random", "checkpoint.tokenizer=x"], "train.method  lora needs a trained body"),
    (["train=lora", "train.lora.rank=0"], "train.lora.rank  rank >= 1 must hold, but got 0"),
    (["train=lora", "train.lora.targets=[]"], "train.lora.targets  holds no names of layers"),
    (["train=lora", "train.lora.variant=qlora"], "train.lora.variant  must be one of lora, dora, rslora"),
])  # fmt: skip
def test_what_contradicts_itself_is_refused(overrides, told):
    with pytest.raises(ConfigError) as refused:
        freeze(compose(["data=poems_small", *overrides]))
    assert any(problem.startswith(told) for problem in refused.value.problems), refused.value.problems


def test_a_missing_peft_is_told_in_one_line(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ConfigError, match=r"adapters  need the package peft \(.*\): pip install peft"):
        adapted(bert(), "train=lora")


def test_frozen_layers_that_are_none_change_no_fingerprint():
    from runner.config import plain
    from runner.fingerprint import determining

    values = determining(freeze(compose(["data=poems_small", "train=full"])))["train"]
    assert not {"lora", "frozen_layers"} & set(values)
    assert "lora" in plain(freeze(compose(["data=poems_small", "train=lora"])))["train"]
    assert json.dumps(values)
