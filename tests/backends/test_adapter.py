"""A folder with an adapter is a checkpoint: its base is found and loaded, and the adapter merged into it."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from runner.backends.checkpoint import find
from runner.config import CheckpointConfig
from runner.errors import CheckpointError
from tests.backends.made import POEMS, edit

CLASSIFIER = "AutoModelForSequenceClassification"
LABELS = {"num_labels": 3, "pad_token_id": 0}


def logits(network, processor):
    network.eval()
    with torch.no_grad():
        return network(torch.tensor([processor(POEMS[:12])["input_ids"]])).logits


@pytest.fixture
def adapter(gpt2, tmp_path):
    """A classifier of three labels on gpt2 as plain peft stores it, beside its base; its matrices are not zero."""
    return made(gpt2, tmp_path / "adapter")


def made(base, folder, kind=CLASSIFIER, task_type="SEQ_CLS", **options):
    import peft
    import transformers

    options = options or (LABELS if kind == CLASSIFIER else {})
    network = getattr(transformers, kind).from_pretrained(base, **options)
    torch.manual_seed(3)
    settings = peft.LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False, task_type=task_type)
    adapted = peft.get_peft_model(network, settings)
    adapted.save_pretrained(folder)
    return folder


def by_peft(base, folder, kind=CLASSIFIER, **options):
    """Merged by peft, for checking."""
    import peft
    import transformers

    network = getattr(transformers, kind).from_pretrained(base, **options)
    return peft.PeftModel.from_pretrained(network, folder).merge_and_unload()


def test_an_adapter_is_merged_as_peft_merges_it(gpt2, adapter, loaded):
    model = loaded(adapter, auto_class=CLASSIFIER, options=LABELS)
    expected = by_peft(gpt2, adapter, **LABELS)
    assert torch.allclose(logits(model.network, model.processor), logits(expected, model.processor), atol=1e-5)
    assert (model.name, model.random_weights) == ("adapter", [])
    assert not [name for name, _ in model.network.named_parameters() if "lora" in name]
    assert type(model.network).__name__ == "GPT2ForSequenceClassification"


def test_the_configuration_beside_the_adapter_counts(gpt2, adapter, loaded):
    config = json.loads((gpt2 / "config.json").read_text())
    names = {"0": "spring", "1": "moon", "2": "river"}
    (adapter / "config.json").write_text(json.dumps(config | {"id2label": names, "pad_token_id": 0}))
    model = loaded(adapter, auto_class=CLASSIFIER)
    assert model.config.id2label == {0: "spring", 1: "moon", 2: "river"}


def test_a_shorter_precision_is_that_of_the_sum(gpt2, adapter, loaded):
    """Merged in float32 and then cast, not the other way round."""
    model = loaded(adapter, auto_class=CLASSIFIER, options=LABELS, dtype="bfloat16")
    expected = by_peft(gpt2, adapter, **LABELS).to(torch.bfloat16)
    found = dict(model.network.named_parameters())
    assert all(torch.equal(found[name], parameter) for name, parameter in expected.named_parameters())


def test_files_of_the_adapter_and_of_its_base_are_all_known(gpt2, adapter):
    source = find(CheckpointConfig(str(adapter)), CLASSIFIER)
    assert {"adapter_config.json", "adapter_model.safetensors", "base/config.json", "base/model.safetensors"} <= set(
        source.files
    )
    assert source.folder == gpt2
    before = dict(source.files)
    edit(gpt2 / "config.json", resid_pdrop=0.3)
    after = find(CheckpointConfig(str(adapter)), CLASSIFIER).files
    assert {name for name in after if after[name] != before[name]} == {"base/config.json"}


def test_a_relative_base_lies_beside_the_adapter_first(gpt2, adapter, loaded, tmp_path, monkeypatch):
    edit(adapter / "adapter_config.json", base_model_name_or_path="../tiny")
    monkeypatch.chdir(shutil.copytree(tmp_path, tmp_path.with_name(f"{tmp_path.name}-elsewhere"), symlinks=True))
    assert find(CheckpointConfig(str(adapter)), CLASSIFIER).folder.resolve() == gpt2


def test_an_embedded_base_goes_by_its_name(gpt2, adapter, monkeypatch, tmp_path):
    from runner.backends import places

    assets = tmp_path / "assets"
    shutil.copytree(gpt2, assets / "poem_tiny")
    monkeypatch.setattr(places, "ASSETS", assets)
    edit(adapter / "adapter_config.json", base_model_name_or_path="poem_tiny")
    assert find(CheckpointConfig(str(adapter)), CLASSIFIER).folder == assets / "poem_tiny"


def test_the_tokenizer_of_the_adapter_comes_first(gpt2, adapter):
    assert find(CheckpointConfig(str(adapter)), CLASSIFIER).tokenizer_source == gpt2
    shutil.copy(gpt2 / "tokenizer.json", adapter)
    shutil.copy(gpt2 / "tokenizer_config.json", adapter)
    source = find(CheckpointConfig(str(adapter)), CLASSIFIER)
    assert source.tokenizer_source == adapter and "tokenizer/tokenizer.json" in source.files


def refused(adapter, loaded, told, auto_class=CLASSIFIER, **options):
    with pytest.raises(CheckpointError, match=told) as error:
        loaded(adapter, auto_class=auto_class, **options)
    assert "\n" not in str(error.value)


def test_an_adapter_of_another_class_is_told(gpt2, adapter, loaded, tmp_path):
    refused(adapter, loaded, "is an adapter of AutoModelForSequenceClassification, but the task loads AutoModelForC",
            "AutoModelForCausalLM")  # fmt: skip
    speaking = made(gpt2, tmp_path / "speaking", "AutoModelForCausalLM", None)
    refused(speaking, loaded, "is an adapter of GPT2LMHeadModel, but the task loads GPT2ForSequenceClassification",
            options=LABELS)  # fmt: skip


def test_labels_of_another_number_are_told_with_both_shapes(adapter, loaded):
    refused(
        adapter,
        loaded,
        r"does not fit its base \(.*\): score.weight is 3 x 16 in the adapter, but 2 x 16 in "
        "the network; checkpoint.options.num_labels decides the labels",
    )


def test_another_base_is_told(gpt2, adapter, loaded):
    edit(gpt2 / "config.json", n_layer=1)
    refused(adapter, loaded, r"does not fit its base \(GPT2ForSequenceClassification\): it holds weights without",
            options=LABELS)  # fmt: skip


def test_an_adapter_that_lacks_weights_is_told(adapter, loaded):
    from safetensors.torch import load_file, save_file

    path = adapter / "adapter_model.safetensors"
    weights = load_file(path)
    lost = next(name for name in weights if "lora_A" in name)
    save_file({name: weights[name] for name in weights if name != lost}, path, metadata={"format": "pt"})
    refused(adapter, loaded, "does not fit its base .*: it lacks .*lora_A", options=LABELS)


def cut(adapter):
    path = adapter / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-50])


@pytest.mark.parametrize(("damage", "told"), [
    (lambda a: edit(a / "adapter_config.json", base_model_name_or_path=None), "names no base: set its base_model_name"),
    (lambda a: edit(a / "adapter_config.json", base_model_name_or_path="./gone"),
     r"its base ./gone cannot be used: checkpoint path ./gone does not exist"),
    (lambda a: edit(a / "adapter_config.json", peft_type="NOTHING"), "adapter_config.json cannot be read"),
    (lambda a: edit(a / "adapter_config.json", base_model_name_or_path="."), "its base .* cannot be used"),
    (lambda a: (a / "adapter_config.json").write_text("{"), "adapter_config.json is damaged"),
    (lambda a: (a / "adapter_model.safetensors").unlink(), "has no adapter_model.safetensors; it holds"),
    (cut, "adapter_model.safetensors is damaged"),
    (lambda a: shutil.copy(a.parent / "tiny" / "model.safetensors", a), "holds both whole weights and an adapter"),
    (lambda a: (a / "config.json").write_text('{"model_type": "bert"}'), "is an adapter of a bert, but its base"),
])  # fmt: skip
def test_what_is_wrong_with_an_adapter_is_told_in_one_line(adapter, loaded, damage, told):
    damage(adapter)
    refused(adapter, loaded, told, options=LABELS)


def test_an_adapter_on_an_adapter_is_refused(adapter, loaded, tmp_path):
    other = shutil.copytree(adapter, tmp_path / "other")
    edit(other / "adapter_config.json", base_model_name_or_path=str(adapter))
    refused(other, loaded, "its base .* cannot be used: it is an adapter itself: merge that one first", options=LABELS)
