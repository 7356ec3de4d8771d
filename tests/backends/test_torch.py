from __future__ import annotations

from pathlib import Path

import pytest
import torch

from runner.backends.complete import part
from runner.backends.torch import device_of
from runner.config import EngineConfig
from runner.errors import CheckpointError, ConfigError
from tests.backends.made import POEMS, VOCABULARY, edit, wide_head

CLASSIFIER = "AutoModelForSequenceClassification"


def test_a_folder_loads_as_transformers_loads_it(gpt2, loaded):
    from transformers import GPT2LMHeadModel

    model = loaded(gpt2)
    ids = torch.tensor([model.processor(POEMS[:12])["input_ids"]])
    expected = GPT2LMHeadModel.from_pretrained(gpt2).eval()(ids).logits
    assert torch.equal(model.network(ids).logits, expected)
    assert (model.name, model.context, model.random_weights) == ("tiny", 32, [])
    assert not model.network.training
    # wte + wpe + 2 layers of 12 n^2 + 13 n + the last norm, n = 16
    assert model.parameters == len(VOCABULARY) * 16 + 32 * 16 + 2 * (12 * 256 + 13 * 16) + 32


def test_missing_weights_are_refused(gpt2, loaded):
    edit(gpt2 / "config.json", n_layer=4)
    with pytest.raises(
        CheckpointError, match=r"24 of 52 weights of this model are not in the checkpoint: transformer.h.2"
    ):
        loaded(gpt2)


def test_missing_weights_are_listed_when_training_will_make_them(gpt2, loaded):
    model = loaded(gpt2, auto_class=CLASSIFIER, new=True, options={"num_labels": 3})
    assert model.random_weights == ["score.weight"]
    assert model.network.score.weight.shape == (3, 16)


def test_a_new_head_is_random_when_nothing_trains_it(gpt2, loaded):
    model = loaded(gpt2, auto_class=CLASSIFIER)
    assert model.random_weights == ["score.weight"]
    assert part(model.network, model.random_weights) == "head"


def test_a_new_head_over_the_vocabulary_is_refused_when_nothing_trains_it(gpt2, loaded):
    from transformers import GPT2LMHeadModel

    edit(gpt2 / "config.json", tie_word_embeddings=False)
    with pytest.raises(
        CheckpointError, match=r"1 of 29 weights of this model are not in the checkpoint: lm_head.weight"
    ):
        loaded(gpt2)
    network = GPT2LMHeadModel.from_pretrained(gpt2)
    assert part(network, ["lm_head.weight"]) == "weights"


def test_a_head_of_another_shape_is_replaced_when_the_labels_are_decided(gpt2, loaded):
    loaded(gpt2, auto_class=CLASSIFIER, new=True, options={"num_labels": 3}).network.save_pretrained(gpt2)
    names = {0: "a", 1: "b", 2: "c", 3: "d"}
    labels = {"num_labels": 4, "id2label": names, "label2id": {name: at for at, name in names.items()}}
    model = loaded(gpt2, auto_class=CLASSIFIER, new=True, options=labels)
    assert (model.random_weights, model.network.score.weight.shape) == (["score.weight"], (4, 16))
    with pytest.raises(CheckpointError, match="score.weight is 3 x 16 in the checkpoint, but 4 x 16"):
        loaded(gpt2, auto_class=CLASSIFIER, options=labels)
    wide_head(gpt2)
    with pytest.raises(CheckpointError, match="c_proj.weight is 16 x 8 in the checkpoint"):
        loaded(gpt2, auto_class=CLASSIFIER, new=True, options=labels)


def test_a_checkpoint_without_any_fitting_weight_is_refused_even_for_training(gpt2, loaded):
    from safetensors.torch import save_file

    save_file({"elsewhere": torch.ones(2)}, gpt2 / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="28 of 28 weights"):
        loaded(gpt2, new=True)


def test_new_weights_follow_the_seed_and_leave_the_global_stream_alone(gpt2, loaded):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again, other = (
        loaded(gpt2, auto_class=CLASSIFIER, new=True, seed=s).network.score.weight for s in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.random.get_rng_state())


def test_weights_of_another_shape_are_told_with_both_sizes(gpt2, loaded):
    wide_head(gpt2)
    with pytest.raises(
        CheckpointError, match="attn.c_proj.weight is 16 x 8 in the checkpoint, but 16 x 16 in its configuration"
    ):
        loaded(gpt2, new=True)


def test_weights_of_another_shape_are_replaced_when_training_asks_for_it(gpt2, loaded):
    wide_head(gpt2)
    model = loaded(gpt2, new=True, options={"ignore_mismatched_sizes": True})
    assert model.random_weights == ["transformer.h.0.attn.c_proj.weight"]


def test_weights_without_a_place_are_only_noted(gpt2, loaded):
    edit(gpt2 / "config.json", n_layer=1)
    model = loaded(gpt2)
    assert model.random_weights == []
    assert "transformer.h.1.attn.c_proj.weight" in model.unused_weights
    assert all(name.startswith("transformer.h.1.") for name in model.unused_weights)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_weights_come_in_the_precision_that_was_asked_for(gpt2, loaded, dtype):
    from transformers import GPT2LMHeadModel

    GPT2LMHeadModel.from_pretrained(gpt2).half().save_pretrained(gpt2)
    network = loaded(gpt2, dtype=dtype).network
    assert {parameter.dtype for parameter in network.parameters()} == {getattr(torch, dtype)}


def test_the_attention_that_was_asked_for_is_used(gpt2, loaded):
    assert loaded(gpt2, attention="eager").config._attn_implementation == "eager"


def test_an_unknown_attention_is_refused(gpt2, loaded):
    with pytest.raises(ConfigError, match="engine.attention  cannot be sdpaa"):
        loaded(gpt2, attention="sdpaa")


@pytest.mark.parametrize(
    ("device", "message"),
    [("gpu", "must be auto, cpu, cuda"), ("cuda:99", r"is cuda:99, but torch sees \d+ CUDA devices here")],
)
def test_a_device_that_is_not_there_is_refused(device, message):
    with pytest.raises(ConfigError, match=message):
        device_of(EngineConfig(device=device))


def test_options_reach_the_configuration(gpt2, loaded):
    assert loaded(gpt2, options={"attn_pdrop": 0.5}).config.attn_pdrop == 0.5


def test_an_unknown_option_names_the_nearest(gpt2, loaded):
    with pytest.raises(
        CheckpointError, match=r"checkpoint.options.num_label: GPT2Config has no such option; nearest: num_labels"
    ):
        loaded(gpt2, options={"num_label": 3})


def test_an_option_with_a_wrong_value_is_told(gpt2, loaded):
    with pytest.raises(CheckpointError, match=r"checkpoint.options: .*attn_pdrop.* expected .*float.* got str"):
        loaded(gpt2, options={"attn_pdrop": "much"})


@pytest.mark.parametrize(
    ("option", "remedy"),
    [
        ("trust_remote_code", "set checkpoint.trust_remote_code"),
        ("dtype", "set engine.dtype"),
        ("weights_only", "never loaded in any other way"),
        ("revision", "set checkpoint.revision"),
    ],
)
def test_an_option_with_a_place_of_its_own_is_refused(gpt2, loaded, option, remedy):
    with pytest.raises(CheckpointError, match=f"checkpoint.options.{option} is not set here: .*{remedy}"):
        loaded(gpt2, options={option: True})


def test_loading_prints_nothing(gpt2, loaded, capfd, recwarn):
    edit(gpt2 / "config.json", n_layer=3)
    loaded(gpt2, new=True)
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_positions_that_begin_after_the_padding_shorten_the_context(tmp_path, gpt2, loaded):
    from transformers import RobertaConfig, RobertaForCausalLM

    config = RobertaConfig(
        vocab_size=60,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=34,
        pad_token_id=1,
        is_decoder=True,
    )
    RobertaForCausalLM(config).save_pretrained(tmp_path / "roberta")
    assert loaded(tmp_path / "roberta", tokenizer=str(gpt2)).context == 32  # 34 - padding_idx - 1


def test_relative_positions_have_no_end(tmp_path, gpt2, loaded):
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(vocab_size=60, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, decoder_start_token_id=0)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path / "t5")
    assert loaded(tmp_path / "t5", tokenizer=str(gpt2), auto_class="AutoModelForSeq2SeqLM").context is None


def test_a_tokenizer_larger_than_the_embedding_is_refused_with_both_sizes(gpt2, loaded, tmp_path):
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text("\n".join([*VOCABULARY, *(f"token{i}" for i in range(100))]), encoding="utf-8")
    size = len(VOCABULARY)
    with pytest.raises(CheckpointError, match=f"has {size + 100} entries, the model's embedding {size}"):
        loaded(gpt2, tokenizer=str(vocabulary))


def test_the_folder_is_left_as_it_was(gpt2, loaded):
    def state(folder: Path) -> list[tuple[str, int]]:
        return sorted((f.name, f.stat().st_mtime_ns) for f in folder.iterdir())

    before = state(gpt2)
    loaded(gpt2)
    assert state(gpt2) == before
