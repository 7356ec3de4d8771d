"""What a token classifier learns from words and their tags."""

from types import SimpleNamespace

import pytest

from runner.errors import DataError
from runner.teach.tokens import Tags
from tests.tasks.tiny_tokens import bert


@pytest.fixture(scope="module")
def model():
    return bert()


def test_labels_go_to_the_first_sub_token_or_to_all(model):
    row = {"row": 0, "tokens": ["Sarah", "Parker", "\u200b", "Yorkshire"], "tags": ["O", "B-PER", "I-PER", "I-LOC"]}
    (first,) = Tags()(model, [row])
    assert first["labels"] == [-100, 0, 1, -100, 4, -100, -100]  # [CLS] sarah par ##ker york ##shire [SEP]
    (every,) = Tags(all_pieces=True)(model, [row])
    assert every["labels"] == [-100, 0, 1, 2, 4, 4, -100]


def rows_of(*tags):
    return [{"row": 0, "place": "x.jsonl:3", "tokens": ["sarah"] * len(tags), "tags": list(tags)}]


@pytest.mark.parametrize(
    "tags, names",
    [
        (["I-PER", "O", "B-LOC"], ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]),  # each type with each letter
        (["VERB", "NOUN"], ["NOUN", "VERB"]),
        ([3, 0, -100], ["0", "1", "2", "3"]),
        (["B-x", "S-x", "O"], ["O", "B-x", "S-x"]),
    ],
)
def test_training_rows_decide_the_classes(tags, names):
    generic = SimpleNamespace(id2label={0: "LABEL_0", 1: "LABEL_1"})
    expected = {
        "num_labels": len(names),
        "id2label": dict(enumerate(names)),
        "label2id": {n: i for i, n in enumerate(names)},
    }
    assert Tags().options(rows_of(*tags), generic) == expected


def test_numbers_are_given_their_names(model):
    generic = SimpleNamespace(id2label={0: "LABEL_0", 1: "LABEL_1"})
    assert Tags(names=["O", "B-x"]).options(rows_of(0, 1, 0), generic)["id2label"] == {0: "O", 1: "B-x"}
    with pytest.raises(DataError, match="tag 2 is not among task.teach.names: O, B-x"):
        Tags(names=["O", "B-x"]).options(rows_of(0, 2), generic)


@pytest.mark.parametrize("tags", [["O", "B-PER"], [0, 4]])
def test_a_checkpoint_keeps_its_own_classes_where_they_cover_the_tags(model, tags):
    assert Tags().options(rows_of(*tags), model.config) == {}
    assert Tags().options(rows_of("B-NEW"), model.config)["id2label"] == {0: "B-NEW"}


@pytest.mark.parametrize(
    "row, told",
    [
        (rows_of("B-NEW")[0], "x.jsonl:3: tag 'B-NEW' is not among those of the training rows or the model: O, B-PER"),
        (rows_of(5)[0], "x.jsonl:3: tag 5 is not among"),
        (rows_of("O")[0] | {"tokens": ["a", "b"]}, "x.jsonl:3: has 2 words but 1 tags: each word needs one"),
    ],
)
def test_tags_that_cannot_be_learnt_are_refused(model, row, told):
    with pytest.raises(DataError) as error:
        list(Tags()(model, [row]))
    assert told in str(error.value)


def test_the_loss_is_the_weighted_and_smoothed_cross_entropy():
    import torch

    logits = torch.tensor([[[0.0, 0.0], [2.0, 0.0], [9.0, 9.0]]])
    inputs = {
        "input_ids": torch.zeros(1, 3),
        "labels": torch.tensor([[0, 1, -100]]),
        "weight": torch.tensor([[5000, 20000, 7]]),
    }

    def network(input_ids):
        return SimpleNamespace(logits=logits)

    # nats: log 2 = 0.693147 for the first token; log(1 + e^2) = 2.126928 for the second, 0.126928 for its other class
    plain = {name: value for name, value in inputs.items() if name != "weight"}
    assert float(Tags().loss(network, plain)) == pytest.approx(0.693147 + 2.126928, abs=1e-5)
    assert float(Tags().loss(network, inputs)) == pytest.approx(0.5 * 0.693147 + 2 * 2.126928, abs=1e-5)
    smooth = 0.693147 + 0.9 * 2.126928 + 0.1 * 0.126928  # of 0.2 the half goes to each class
    assert float(Tags(label_smoothing=0.2).loss(network, plain)) == pytest.approx(smooth, abs=1e-5)
    assert Tags().items(plain) == 2 and Tags().items(inputs) == 2.5


def test_balanced_weights_give_all_tags_the_same_say(model):
    rows = rows_of("O", "O", "O", "B-PER")  # 4 words, 5 classes: 4 / (5 * 3) and 4 / (5 * 1)
    (one,) = Tags(class_weights="balanced")(model, rows)
    assert one["weight"] == [0, 2667, 2667, 2667, 8000, 0]
    (one,) = Tags(class_weights={"B-PER": 2.5})(model, rows)
    assert one["weight"] == [0, 10000, 10000, 10000, 25000, 0]


def test_the_loss_is_the_same_side_by_side_and_padded(model):
    from runner.engine.unpadded import why_padded
    from runner.train.layout import Layout

    assert why_padded(model.network) is None
    teach = Tags(class_weights={"O": 0.5})
    rows = [rows_of(*["O", "B-PER", "I-LOC", "O"][:count])[0] for count in (4, 1, 3)]
    found = []
    for batching in ("packed", "padded", "length"):
        total = items = 0.0
        layout = Layout(batching, 64, 0)
        for micro in layout(list(teach(model, rows)))["micro"]:
            items += teach.items(micro)
            with layout.within(model.network):
                total += float(teach.loss(model.network, micro).detach())
        found.append((total, items))
    assert found == [pytest.approx(found[0], abs=1e-4)] * 3
    assert found[0][1] == 8 - 0.5 * 4  # of 8 words 4 are O
