"""What a Teach makes of rows: the loss of a step, the columns that are read, and what cannot be taught."""

import json

import pytest
import torch

from runner.engine.classes import class_loss
from runner.engine.forward import pad_rows
from runner.errors import DataError
from runner.teach.causal import Causal
from runner.teach.choice import Choice
from runner.teach.classes import check_weights, class_options, in_order, own_names, weights
from runner.teach.labels import Labels
from runner.teach.masked import Masked
from runner.teach.pairs import Pairs
from tests.tasks import made


@pytest.mark.parametrize("wrong, told", [
    (lambda: Labels(problem="classification"), "problem must be null or one of single_label_classification"),
    (lambda: Labels(class_weights="even"), "class_weights must be null, balanced or {label: weight}, but got even"),
    (lambda: Labels(class_weights={"a": -1}), "class_weights must be numbers from 0"),
    (lambda: Labels(label_smoothing=1.0), "0 <= label_smoothing < 1 must hold, but got 1.0"),
    (lambda: Choice(label_smoothing=-0.1), "0 <= label_smoothing < 1 must hold"),
    (lambda: Pairs(label_smoothing=2.0), "0 <= label_smoothing < 1 must hold"),
    (lambda: Masked(share=0.0), "0 < share < 1 must hold, but got 0.0"),
    (lambda: Masked(unit="char"), "unit must be token, word or span, but got char"),
    (lambda: Masked(keep=0.6, swap=0.6), "keep and swap must be shares of at most 1 together"),
    (lambda: check_weights(None, 1.5), "0 <= label_smoothing < 1"),
])  # fmt: skip
def test_options_that_mean_nothing_are_refused(wrong, told):
    with pytest.raises(ValueError, match=told.replace("{", r"\{").replace("}", r"\}")):
        wrong()


def test_labels_are_in_the_order_of_their_numbers_or_of_the_alphabet():
    assert in_order(["b", "a"]) == ["a", "b"]
    assert in_order(["10", "9", "2"]) == [str(at) for at in range(11)]  # positions up to the largest
    assert in_order(["2000", "10", "300"]) == ["10", "300", "2000"]  # years are names
    assert in_order(["1", "a"]) == ["1", "a"]


def test_too_many_labels_are_no_classes():
    with pytest.raises(
        DataError, match="column 'text' holds more than 10,000 different labels: is it the right column?"
    ):
        class_options(map(str, range(10_001)), made.config(), "text")


def test_names_that_nobody_gave_are_none():
    assert own_names(made.config(num_labels=3)) == []
    assert own_names(made.config(**made.classes("LABEL_0", "other"))) == ["LABEL_0", "other"]


def test_weights_by_name_leave_the_others_at_1():
    assert weights({}, {"b": 3, 1: 2}, ["a", "b", "1"]) == [1.0, 3.0, 2.0]
    assert weights({0: 5}, None, ["a", "b"]) == [1.0, 1.0]
    assert weights({0: 4}, "balanced", ["a", "b"]) == [0.5, 2.0]  # a class without rows: as if it had one


@pytest.mark.parametrize("smoothing", [0.0, 0.25])
def test_smoothed_binary_targets_move_towards_a_half(smoothing):
    logits, labels = torch.tensor([[2.0, -1.0], [0.5, 3.0]]), torch.tensor([[1, 0], [1, 1]])
    target = labels * (1 - smoothing) + 0.5 * smoothing
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, target) * 2  # mean of classes, sum of rows
    assert class_loss(logits, labels, None, smoothing).item() == pytest.approx(expected.item())


def test_a_label_of_another_set_is_told_with_its_place_and_the_classes():
    model = made.model("AutoModelForSequenceClassification", **made.classes(*(f"c{at}" for at in range(15))))
    with pytest.raises(DataError, match="a.jsonl:2: label 'x' is not among the model's: c0, c1, .*, c11 and 3 more"):
        list(Labels()(model, made.rows(text=["a", "b"], label=["c1", "x"])))


def test_the_rows_are_read_a_chunk_at_a_time(monkeypatch):
    """Training data may be larger than memory: examples come before all rows are read."""
    read = []

    def rows():
        for row in made.rows(text=["fish"] * 3000):
            read.append(row)
            yield row

    model = made.model("AutoModelForCausalLM", "gpt2")
    for teach in (Causal(), Masked()):
        read.clear()
        next(teach(model, rows()))
        assert len(read) == 1000


def test_the_loss_of_a_step_is_over_the_tokens_of_the_step_not_of_its_micro_batches():
    """Two micro-batches of unlike sizes: the mean of their means would be another number."""
    model = made.model("AutoModelForCausalLM", "gpt2", resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
    rows = made.rows(text=["fish", "the bird sings well and the moon plays", "she reads"])
    examples = list(Causal()(model, rows))
    total = items = 0.0
    for group in (examples[:1], examples[1:]):
        inputs = pad_rows(group, 0, labels=True)
        total += Causal().loss(model.network, inputs).item()
        items += Causal().items(inputs)
    by_hand = count = 0
    for example in examples:
        ids = torch.tensor([example["input_ids"]])
        by_hand += model.network(ids, labels=ids).loss.item() * (ids.shape[1] - 1)
        count += ids.shape[1] - 1
    assert items == count and total == pytest.approx(by_hand, rel=1e-5)


def test_a_training_reads_the_columns_of_its_format_not_those_of_the_answers(cli, tmp_path):
    """Contrast learns from pairs; texts alone are embedded, pairs with a score evaluated."""
    pairs = [{"anchor": "the bird", "positive": f"{word} bird"} for word in ("good", "bad", "a", "the")]
    scored = [pair | {"score": at} for at, pair in enumerate(pairs)]
    folder = made.splits(tmp_path / "data", train=pairs, validation=pairs, test=scored)
    base = made.saved(made.model("AutoModel"), tmp_path / "base")
    ended = cli(
        "task=text_encoding", "checkpoint=pretrained", f"checkpoint.name_or_path={base}", "data=files",
        f"data.path={folder}", "train=full", "train.max_steps=2", "train.batch_size=4", "engine.threads=1",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    (run,) = cli.runs
    assert {"spearman", "pearson"} <= set(made.metrics(run))
    lines = [json.loads(line) for line in (run / "training.jsonl").read_text().splitlines()]
    assert any("eval_loss" in line for line in lines) and not any("eval_spearman" in line for line in lines)
