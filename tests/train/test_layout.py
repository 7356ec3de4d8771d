import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from runner.teach.causal import Causal
from runner.train.corpus import Corpus
from runner.train.layout import Layout
from tests.tasks import made

TEXTS = [[2, 7, 8, 9, 3], [2, 5, 3], [2, 6, 7, 8, 9, 10, 11, 3], [2, 9, 9, 3], [2, 10, 3]]


def network(kind):
    torch.manual_seed(0)
    sizes = {"vocab_size": 16, "bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    if kind == "gpt2":
        config = GPT2Config(n_positions=32, n_embd=16, n_layer=2, n_head=2, **sizes)
        one = GPT2LMHeadModel(config)
    else:
        config = LlamaConfig(
            hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
            max_position_embeddings=32, **sizes,
        )  # fmt: skip
        one = LlamaForCausalLM(config)
    return one.eval()


def gradient(network, layout):
    """Of the mean loss over all predicted tokens, whatever the layout."""
    network.zero_grad()
    batch = layout([{"input_ids": text} for text in TEXTS])
    predicted = sum(len(text) - 1 for text in TEXTS)
    for micro in batch["micro"]:
        with layout.within(network):
            network(**micro, num_items_in_batch=predicted, use_cache=False).loss.backward()
    return torch.cat([p.grad.flatten() for p in network.parameters()])


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("batching", ["length", "packed"])
def test_the_gradient_does_not_depend_on_the_layout(kind, batching):
    one = network(kind)
    expected = gradient(one, Layout("padded", tokens=1000, pad=0))
    found = gradient(one, Layout(batching, tokens=16, pad=0))
    assert torch.allclose(found, expected, atol=1e-6)


def test_micro_batches_of_like_lengths_hold_no_more_than_their_budget():
    layout = Layout("length", tokens=12, pad=0)
    micro = layout([{"input_ids": [2] * n} for n in (3, 4, 4, 4, 4, 10)])["micro"]
    assert [tuple(inputs["input_ids"].shape) for inputs in micro] == [(1, 10), (3, 4), (1, 4), (1, 3)]
    assert all("attention_mask" not in inputs for inputs in micro)


def test_packed_texts_are_rows_of_a_batch_whose_padding_teaches_nothing():
    (micro,) = Layout("packed", tokens=100, pad=0)([{"input_ids": [2, 5, 3]}, {"input_ids": [2, 6, 7, 3]}])["micro"]
    assert micro["input_ids"].tolist() == [[2, 6, 7, 3], [2, 5, 3, 0]]
    assert micro["labels"].tolist() == [[2, 6, 7, 3], [2, 5, 3, -100]]
    assert micro["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]


def test_packed_micro_batches_are_few_and_even():
    texts = [{"input_ids": [2] * length} for length in (9, 8, 7, 6, 5, 4, 3, 2, 1)]  # 45 tokens
    micro = Layout("packed", tokens=20, pad=0)(texts)["micro"]
    assert [inputs["attention_mask"].sum(1).tolist() for inputs in micro] == [[9, 8], [7, 6], [5, 4, 3, 2, 1]]
    alone = Layout("packed", tokens=4, pad=0)(texts[:2])["micro"]
    assert [tuple(inputs["input_ids"].shape) for inputs in alone] == [(1, 9), (1, 8)]
    (whole,) = Layout("packed", tokens=None, pad=0)(texts)["micro"]
    assert whole["attention_mask"].sum(1).tolist() == [9, 8, 7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("batching, shapes", [
    ("padded", [(2, 2, 5), (1, 3, 4)]),
    ("length", [(2, 2, 5), (1, 3, 4)]),
    ("packed", [(2, 2, 5), (1, 3, 4)]),
])  # fmt: skip
def test_questions_share_a_micro_batch_with_those_of_as_many_choices(batching, shapes):
    two, three, short = [[2, 5, 6, 7, 3], [2, 3]], [[2, 5, 6, 3], [2, 3], [2, 9, 3]], [[2, 3], [2, 8, 3]]
    examples = [{"input_ids": ids, "labels": at % 2} for at, ids in enumerate((short, three, two))]
    micro = Layout(batching, tokens=100, pad=0)(examples)["micro"]
    assert [tuple(inputs["input_ids"].shape) for inputs in micro] == shapes
    assert [inputs["labels"].tolist() for inputs in micro] == [[0, 0], [1]]
    assert int(sum(inputs["attention_mask"].sum() for inputs in micro)) == 7 + 9 + 5
    assert micro[0]["input_ids"][0].tolist() == [[2, 5, 6, 7, 3], [2, 3, 0, 0, 0]]


def test_a_corpus_gives_examples_back_whole_whatever_their_shape():
    examples = [
        {"input_ids": [[2, 5, 3], [2, 3]], "labels": 0.25, "number": 7},
        {"input_ids": [[2, 3], [], [2, 6, 7, 8, 3]], "labels": -1.0, "number": -100},
    ]
    corpus = Corpus(iter(examples))
    assert [corpus[at] for at in range(len(corpus))] == examples
    assert (len(corpus), corpus.tokens) == (2, 12)
    assert (len(Corpus([])), Corpus([]).tokens) == (0, 0)


def test_long_texts_are_cut_so_that_each_token_is_predicted_once():
    model = made.model("AutoModelForCausalLM", "gpt2")
    model.context = 3
    ids = model.processor.convert_tokens_to_ids
    pieces = list(Causal()(model, [{"text": "he sings well good"}, {"text": ""}, {"text": "fish"}]))
    assert [one["input_ids"] for one in pieces] == [
        ids(["[CLS]", "he", "sings"]), ids(["sings", "well", "good"]), ids(["good", "[SEP]"]),
        ids(["[CLS]", "[SEP]"]),
        ids(["[CLS]", "fish", "[SEP]"]),
    ]  # fmt: skip
