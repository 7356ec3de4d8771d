from contextlib import nullcontext

import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from runner.engine.packed import side_by_side, why_not_side_by_side
from runner.train.corpus import Corpus
from runner.train.layout import Layout

TEXTS = [[2, 7, 8, 9, 3], [2, 5, 3], [2, 6, 7, 8, 9, 10, 11, 3], [2, 9, 9, 3], [2, 10, 3]]


def network(kind):
    torch.manual_seed(0)
    sizes = {"vocab_size": 16, "bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    if kind == "gpt2":
        config = GPT2Config(n_positions=32, n_embd=16, n_layer=2, n_head=2, **sizes)
        made = GPT2LMHeadModel(config)
    else:
        config = LlamaConfig(
            hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
            max_position_embeddings=32, **sizes,
        )  # fmt: skip
        made = LlamaForCausalLM(config)
    return made.eval()


def gradient(made, layout):
    """Of the mean loss over all predicted tokens, whatever the layout."""
    made.zero_grad()
    batch = layout([{"input_ids": text} for text in TEXTS])
    predicted = sum(len(text) - 1 for text in TEXTS)
    for micro in batch["micro"]:
        lengths = micro.pop("lengths", None)
        with side_by_side(made, lengths) if lengths else nullcontext():
            made(**micro, num_items_in_batch=predicted, use_cache=False).loss.backward()
    return torch.cat([p.grad.flatten() for p in made.parameters()])


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("batching", ["length", "packed"])
def test_the_gradient_does_not_depend_on_the_layout(kind, batching):
    made = network(kind)
    expected = gradient(made, Layout("padded", tokens=1000, pad=0))
    found = gradient(made, Layout(batching, tokens=16, pad=0))
    assert torch.allclose(found, expected, atol=1e-6)


def test_micro_batches_of_like_lengths_hold_no_more_than_their_budget():
    layout = Layout("length", tokens=12, pad=0)
    micro = layout([{"input_ids": [2] * n} for n in (3, 4, 4, 4, 4, 10)])["micro"]
    assert [tuple(inputs["input_ids"].shape) for inputs in micro] == [(1, 10), (3, 4), (1, 4), (1, 3)]
    assert all("attention_mask" not in inputs for inputs in micro)


def test_packed_texts_predict_nothing_across_texts():
    (micro,) = Layout("packed", tokens=100, pad=0)([{"input_ids": [2, 5, 3]}, {"input_ids": [2, 6, 7, 3]}])["micro"]
    assert micro["input_ids"].tolist() == [[2, 6, 7, 3, 2, 5, 3]]
    assert micro["labels"].tolist() == [[-100, 6, 7, 3, -100, 5, 3]]
    assert micro["position_ids"].tolist() == [[0, 1, 2, 3, 0, 1, 2]]
    assert micro["lengths"] == [4, 3]


def test_packed_micro_batches_are_few_and_even():
    texts = [{"input_ids": [2] * length} for length in (9, 8, 7, 6, 5, 4, 3, 2, 1)]  # 45 tokens
    micro = Layout("packed", tokens=20, pad=0)(texts)["micro"]
    assert [inputs["lengths"] for inputs in micro] == [[9, 8], [7, 6], [5, 4, 3, 2, 1]]
    alone = Layout("packed", tokens=4, pad=0)(texts[:2])["micro"]
    assert [inputs["lengths"] for inputs in alone] == [[9], [8]]


SMALL = {"vocab_size": 16, "hidden_size": 16, "pad_token_id": 0}
REFUSING = {
    "its attention does not stay inside each text": lambda: BloomForCausalLM(BloomConfig(n_layer=2, n_head=2, **SMALL)),
    "its layers keep a window or a state": lambda: MistralForCausalLM(
        MistralConfig(num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, sliding_window=8, **SMALL)
    ),
}


@pytest.mark.parametrize("reason", REFUSING)
def test_networks_whose_attention_would_leak_are_found_by_trial(reason):
    torch.manual_seed(0)
    assert why_not_side_by_side(REFUSING[reason]()) == reason


def test_a_recurrent_network_does_not_take_texts_side_by_side():
    assert why_not_side_by_side(MambaForCausalLM(MambaConfig(num_hidden_layers=1, **SMALL)))


def test_the_network_is_left_as_it_was():
    made = network("gpt2").train()
    assert why_not_side_by_side(made) is None
    assert made.training and made.config._attn_implementation == "sdpa"


def test_long_texts_are_cut_so_that_each_token_is_predicted_once():
    corpus = Corpus([{"input_ids": [1, 2, 3, 4, 5, 6]}, {"input_ids": [7, 8]}], block=3)
    assert [corpus[i]["input_ids"] for i in range(len(corpus))] == [[1, 2, 3], [3, 4, 5], [5, 6], [7, 8]]
