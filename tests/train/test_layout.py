import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

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
            hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
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
        made(**micro, num_items_in_batch=predicted, use_cache=False).loss.backward()
    return torch.cat([p.grad.flatten() for p in made.parameters()])


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("batching", ["length", "packed"])
def test_the_gradient_does_not_depend_on_the_layout(kind, batching):
    made = network(kind)
    expected = gradient(made, Layout("padded", tokens=1000, block=32, pad=0))
    found = gradient(made, Layout(batching, tokens=16, block=16, pad=0))
    assert torch.allclose(found, expected, atol=1e-6)


def test_micro_batches_of_like_lengths_hold_no_more_than_their_budget():
    layout = Layout("length", tokens=12, block=32, pad=0)
    micro = layout([{"input_ids": [2] * n} for n in (3, 4, 4, 4, 4, 10)])["micro"]
    assert [tuple(inputs["input_ids"].shape) for inputs in micro] == [(1, 10), (3, 4), (1, 4), (1, 3)]
    assert all("attention_mask" not in inputs for inputs in micro)


def test_packed_rows_predict_nothing_across_texts():
    (micro,) = Layout("packed", tokens=100, block=8, pad=0)([{"input_ids": [2, 5, 3]}, {"input_ids": [2, 6, 7, 3]}])[
        "micro"
    ]
    assert micro["input_ids"].tolist() == [[2, 6, 7, 3, 2, 5, 3]]
    assert micro["labels"].tolist() == [[-100, 6, 7, 3, -100, 5, 3]]
    assert micro["position_ids"].tolist() == [[0, 1, 2, 3, 0, 1, 2]]


def test_long_texts_are_cut_so_that_each_token_is_predicted_once():
    corpus = Corpus([{"input_ids": [1, 2, 3, 4, 5, 6]}, {"input_ids": [7, 8]}], block=3)
    assert [corpus[i]["input_ids"] for i in range(len(corpus))] == [[1, 2, 3], [3, 4, 5], [5, 6], [7, 8]]
