"""Batches of forward passes: order, budget, padding and memory that runs out."""

import pytest
import torch

from runner.engine.forward import pad_rows, run_batches
from runner.errors import RunFailed
from tests.tasks import made


@pytest.fixture(scope="module")
def model():
    """One that sees padding: it has an encoder and a decoder."""
    return made.model("AutoModel", "bart")


@pytest.fixture(scope="module")
def encoder():
    """One whose texts go through it side by side."""
    return made.model("AutoModel")


def features(*lengths):
    return [{"input_ids": [at + 5] * length} for at, length in enumerate(lengths)]


def batches(model, of, budget, room=10**9, said=None):
    """The shape of each batch, in a memory that holds batches of at most so many tokens, and the outputs in order."""
    shapes, found = [], {}

    def outputs(model, inputs):
        ids = inputs["input_ids"]
        if ids.numel() > room:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        shapes.append(tuple(ids.shape))
        return ids[:, 0].tolist()

    say = (lambda line: None) if said is None else said.append
    for batch in run_batches(model, of, outputs, budget, say):
        found |= dict(batch)
    return shapes, [found[at] for at in range(len(of))]


@pytest.mark.parametrize("budget", [1, 7, 24, 10_000])
def test_each_output_comes_back_to_its_feature_once(model, budget):
    of = features(3, 9, 1, 9, 5, 4, 4, 8)
    shapes, found = batches(model, of, budget)
    assert found == [feature["input_ids"][0] for feature in of]
    assert sum(rows for rows, _ in shapes) == len(of)
    assert [length for _, length in shapes] == sorted((length for _, length in shapes), reverse=True)
    assert all(rows == 1 or rows * length <= budget for rows, length in shapes)


def test_short_texts_share_a_batch_and_long_ones_only_with_their_like(model):
    # 20 texts of 100 tokens: 3 of them are more than 256 tokens, so that the one of 50 waits for a batch of its own
    shapes, _ = batches(model, features(*[100] * 5, 50, *[97] * 2), 10_000)
    assert shapes == [(7, 100), (1, 50)]
    shapes, _ = batches(model, features(9, 3, 1), 10_000)
    assert shapes == [(3, 9)]


@pytest.mark.parametrize("budget, shapes", [
    (1, [(1, 9), (1, 8), (1, 4), (1, 3), (1, 1)]),
    (13, [(1, 9), (2, 8), (2, 3)]),
    (25, [(5, 9)]),
])  # fmt: skip
def test_where_padding_costs_nothing_only_tokens_count(encoder, budget, shapes):
    found, outputs = batches(encoder, of := features(4, 9, 1, 8, 3), budget)
    assert found == shapes
    assert outputs == [feature["input_ids"][0] for feature in of]


def test_a_batch_that_does_not_fit_into_memory_is_halved_and_so_are_those_after_it(model):
    said = []
    of = features(*[10] * 16)
    shapes, found = batches(model, of, 160, room=45, said=said)
    assert shapes == [(4, 10)] * 4
    assert found == [feature["input_ids"][0] for feature in of]
    assert said == [
        "memory ran out with 16 texts at a time: going on with 8",
        "memory ran out with 8 texts at a time: going on with 4",
    ]


def test_a_single_text_that_does_not_fit_into_memory_ends_the_run(model):
    with pytest.raises(RunFailed, match="memory runs out on a single text of 30 tokens"):
        batches(model, features(30, 2), 100, room=20)


def test_errors_of_another_kind_are_not_taken_for_memory(model):
    def outputs(model, inputs):
        raise RuntimeError("expected scalar type Float but found Half")

    with pytest.raises(RuntimeError, match="expected scalar type"):
        list(run_batches(model, features(3, 4), outputs, 100, print))


def test_nothing_makes_no_batch(model):
    assert list(run_batches(model, [], None, 100, print)) == []


def test_rows_are_padded_at_their_end_each_key_with_its_own_filling():
    rows = [
        {"input_ids": [5, 6, 7], "token_type_ids": [0, 1, 1], "labels": [5, 6, 7], "words": [-1, 0, 1], "number": 1.5},
        {"input_ids": [8], "token_type_ids": [1], "labels": [8], "words": [0], "number": 2.0},
    ]
    found = {name: tensor.tolist() for name, tensor in pad_rows([one | {"aside": {}} for one in rows], 9).items()}
    assert found == {
        "input_ids": [[5, 6, 7], [8, 9, 9]],
        "token_type_ids": [[0, 1, 1], [1, 0, 0]],
        "labels": [[5, 6, 7], [8, -100, -100]],
        "words": [[-1, 0, 1], [0, -1, -1]],
        "number": [1.5, 2.0],
        "attention_mask": [[1, 1, 1], [1, 0, 0]],
    }


def test_rows_of_one_length_need_no_mask():
    assert set(pad_rows([{"input_ids": [5, 6]}, {"input_ids": [7, 8]}], 0)) == {"input_ids"}


def test_choices_are_padded_to_the_longest_of_all_rows():
    found = pad_rows([{"input_ids": [[5], [6, 7, 8]], "labels": 1}, {"input_ids": [[9], [9]], "labels": 0}], 0)
    assert found["input_ids"].tolist() == [[[5, 0, 0], [6, 7, 8]], [[9, 0, 0], [9, 0, 0]]]
    assert found["attention_mask"].tolist() == [[[1, 0, 0], [1, 1, 1]], [[1, 0, 0], [1, 0, 0]]]
    assert found["labels"].tolist() == [1, 0]


def test_labels_are_the_input_where_there_are_none_and_padding_teaches_nothing():
    found = pad_rows([{"input_ids": [0, 5, 0]}, {"input_ids": [6]}], pad=0, labels=True)
    assert found["labels"].tolist() == [[0, 5, 0], [6, -100, -100]]  # a token with the padding's id is a token


@pytest.mark.parametrize("auto_class, kind", [("AutoModel", "bert"), ("AutoModel", "gpt2"), ("AutoModel", "bart")])
def test_padding_does_not_change_what_a_network_says_of_a_text(auto_class, kind):
    """Right padding: of an encoder by the mask, of a decoder by the order."""
    made_one = made.model(auto_class, kind)
    of = features(3, 20, 7, 1)

    def outputs(model, inputs):
        states = model.network(**inputs).last_hidden_state
        lengths = inputs.get("attention_mask", torch.ones_like(inputs["input_ids"])).sum(1)
        return [one[:length] for one, length in zip(states, lengths, strict=True)]

    with torch.no_grad():
        together = {at: out for batch in run_batches(made_one, of, outputs, 10_000, print) for at, out in batch}
        for at, feature in enumerate(of):
            alone = made_one.network(input_ids=torch.tensor([feature["input_ids"]])).last_hidden_state[0]
            assert torch.allclose(together[at], alone, atol=1e-5)
