"""Whether one text follows another: a plain forward pass, a pair at a time, is the judge."""

import pytest
import torch

from runner.encode.texts import Texts
from runner.engine.forward import pad_rows
from runner.interpret.labels import Labels
from runner.task import Way
from runner.teach.labels import Labels as Teach
from tests.tasks import made

AUTO = "AutoModelForNextSentencePrediction"
NAMES = ["is_next", "not_next"]
ROWS = made.rows(sentence1=made.TEXTS, sentence2=made.TEXTS[::-1], label=["is_next", "not_next", 0, 1, "1", "is_next"])
LABELS = [0, 1, 0, 1, 1, 0]


def logits(network, tokenizer, row):
    return network(**tokenizer(row["sentence1"], row["sentence2"], return_tensors="pt")).logits


def test_each_pair_is_answered_as_by_a_forward_pass_of_its_own():
    model = made.model(AUTO)
    way = Way(Texts("sentence1", "sentence2", pairs=True), Labels(names=NAMES))
    for row, found in zip(ROWS, made.forward(model, way, ROWS), strict=True):
        expected = logits(model.network, model.processor, row).softmax(-1)[0].tolist()
        assert list(found["probabilities"]) == NAMES
        assert list(found["probabilities"].values()) == pytest.approx(expected, abs=1e-5)
        assert found["label"] == NAMES[expected.index(max(expected))]


def test_the_loss_is_the_librarys_and_class_0_follows():
    model, teach = made.model(AUTO), Teach("sentence1", "sentence2", names=NAMES)
    assert teach.options(ROWS, model.config) == {}  # the head has its two classes whatever the rows hold
    inputs = pad_rows(list(teach(model, ROWS)), 0)
    assert inputs["labels"].tolist() == LABELS
    expected = sum(
        torch.nn.functional.cross_entropy(logits(model.network, model.processor, row), torch.tensor([label])).item()
        for row, label in zip(ROWS, LABELS, strict=True)
    )
    assert teach.loss(model.network, inputs).item() == pytest.approx(expected, abs=1e-4)


def test_one_command_trains_evaluates_and_leaves_a_checkpoint_that_the_library_loads(cli, tmp_path):
    from transformers import AutoModelForNextSentencePrediction, AutoTokenizer

    first = ["the bird", "a fish", "the moon", "she"]
    lines = [{"text": one, "text_pair": "sings well .", "label": 0} for one in first]
    lines += [{"text": one, "text_pair": "rain , rain", "label": 1} for one in first]
    folder = made.splits(tmp_path / "data", train=lines * 4, validation=lines, test=lines)
    base = made.saved(made.model("AutoModelForPreTraining", initializer_range=0.1), tmp_path / "base")
    ended = cli(
        "task=next_sentence_prediction", "checkpoint=pretrained", f"checkpoint.name_or_path={base}", "data=files",
        f"data.path={folder}", "train=full", "train.max_steps=24", "train.batch_size=8", "train.learning_rate=5e-3",
        "train.log_every=4", "train.evaluate_every=8", "engine.threads=1", "train.metric=accuracy",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    (run,) = cli.runs
    losses = made.history(run, "loss")
    assert losses[-1] < losses[0] / 2
    assert made.metrics(run)["accuracy"] == 1.0
    network = AutoModelForNextSentencePrediction.from_pretrained(run / "checkpoint").eval()
    tokenizer = AutoTokenizer.from_pretrained(run / "checkpoint")
    for line, found in zip(lines, made.predictions(run), strict=True):
        row = {"sentence1": line["text"], "sentence2": line["text_pair"]}
        expected = logits(network, tokenizer, row).softmax(-1)[0].tolist()
        assert list(found["probabilities"].values()) == pytest.approx(expected, abs=1e-4)
