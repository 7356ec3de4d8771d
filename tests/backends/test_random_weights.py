from __future__ import annotations

import pytest
import torch

from runner.backends.checkpoint import find
from runner.config import CheckpointConfig
from runner.errors import CheckpointError
from tests.backends.made import VOCABULARY

TINY = {"model_type": "gpt2", "n_layer": 2, "n_head": 2, "n_embd": 16, "n_positions": 32}


def test_the_vocabulary_comes_from_the_tokenizer(uer, loaded):
    model = loaded(None, tokenizer=str(uer / "vocab.txt"), architecture=TINY)
    config = model.config
    assert (config.vocab_size, config.bos_token_id, config.eos_token_id, config.pad_token_id) == (
        len(VOCABULARY),
        2,
        3,
        0,
    )
    assert model.network.transformer.wte.weight.shape == (len(VOCABULARY), 16)
    assert (model.name, model.context) == ("gpt2 (random)", 32)
    assert "transformer.wte.weight" in model.random_weights


def test_given_values_stay(uer, loaded):
    model = loaded(None, tokenizer=str(uer), architecture=TINY | {"vocab_size": 64, "eos_token_id": 7})
    assert (model.config.vocab_size, model.config.eos_token_id, model.config.bos_token_id) == (64, 7, 2)


def test_a_given_vocabulary_that_is_too_small_is_refused(uer, loaded):
    with pytest.raises(CheckpointError, match=f"has {len(VOCABULARY)} entries, the model's embedding 5"):
        loaded(None, tokenizer=str(uer), architecture=TINY | {"vocab_size": 5})


def test_the_seed_decides_the_weights(uer, loaded):
    weights = [
        loaded(None, tokenizer=str(uer), architecture=TINY, seed=s).network.transformer.wte.weight for s in (0, 0, 1)
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_seed_means_the_same_weights_in_every_precision(uer, loaded):
    full, half = (loaded(None, tokenizer=str(uer), architecture=TINY, dtype=d).network for d in ("float32", "bfloat16"))
    assert torch.equal(full.lm_head.weight.bfloat16(), half.lm_head.weight)


def test_the_name_of_a_checkpoint_serves_as_tokenizer(gpt2, loaded):
    assert loaded(gpt2, architecture=TINY).config.vocab_size == len(VOCABULARY)


def test_an_unknown_option_names_the_nearest(uer, loaded):
    with pytest.raises(
        CheckpointError, match="checkpoint.architecture.n_layers: GPT2Config has no such option; nearest: n_layer"
    ):
        loaded(None, tokenizer=str(uer), architecture=TINY | {"n_layers": 3})


def test_a_wrong_value_is_told(uer, loaded):
    with pytest.raises(CheckpointError, match=r"checkpoint.architecture: .*n_layer.* expected int, got str"):
        loaded(None, tokenizer=str(uer), architecture=TINY | {"n_layer": "two"})


def test_sizes_that_do_not_fit_each_other_are_told(uer, loaded):
    with pytest.raises(CheckpointError, match=r"checkpoint gpt2 \(random\): .*divisible"):
        loaded(None, tokenizer=str(uer), architecture=TINY | {"n_head": 3})


def test_an_unknown_architecture_names_the_nearest(uer):
    checkpoint = CheckpointConfig(tokenizer=str(uer), architecture={"model_type": "gpt3"})
    with pytest.raises(
        CheckpointError, match="checkpoint.architecture: this transformers knows no model_type gpt3; nearest: .*gpt2"
    ):
        find(checkpoint, "AutoModelForCausalLM")


def test_an_architecture_that_does_not_fit_is_refused(uer):
    checkpoint = CheckpointConfig(tokenizer=str(uer), architecture={"model_type": "vit"})
    with pytest.raises(CheckpointError, match="checkpoint.architecture: architecture vit is not a causal LM"):
        find(checkpoint, "AutoModelForCausalLM")


def test_an_architecture_made_of_others_is_built(uer, loaded):
    part = {"model_type": "bert", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    part |= {"num_attention_heads": 2, "vocab_size": 60}
    both = {"model_type": "encoder-decoder", "encoder": part, "decoder": part | {"is_decoder": True}}
    model = loaded(None, tokenizer=str(uer), architecture=both, auto_class="AutoModelForSeq2SeqLM")
    assert type(model.network).__name__ == "EncoderDecoderModel"


def test_only_the_tokenizer_is_hashed(uer):
    source = find(CheckpointConfig(tokenizer=str(uer / "vocab.txt"), architecture=TINY), "AutoModelForCausalLM")
    assert list(source.files) == ["tokenizer/vocab.txt"]
    assert source.folder is None


@pytest.mark.parametrize(
    "architecture",
    [
        {
            "model_type": "llama",
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
        },
        {
            "model_type": "bert",
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "is_decoder": True,
        },
        {
            "model_type": "gpt_neox",
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
        },
    ],
)
def test_other_architectures_are_built(uer, loaded, architecture):
    model = loaded(None, tokenizer=str(uer), architecture=architecture)
    assert model.network.get_input_embeddings().num_embeddings == len(VOCABULARY)
