"""Questions with choices: a plain forward pass, a question at a time, is the judge."""

import json

import pytest
import torch

from runner.encode.choices import Choices
from runner.engine.forward import pad_rows
from runner.interpret.choice import Choice
from runner.task import Way
from runner.teach.choice import Choice as Teach
from tests.tasks import made

AUTO = "AutoModelForMultipleChoice"
ROWS = made.rows(
    question=["the bird", "she reads 🙂 , he", "fish", "rain rain rain"],
    choices=[["sings well .", "is a fish"], ["plays", "sleeps bad !", "a", "风 月"], ["fish"], ["x", 5, "moon " * 20]],
    label=[1, "c", 0, "moon " * 20],
)


@pytest.fixture(scope="module")
def model():
    return made.model(AUTO, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)


def logits(network, tokenizer, row):
    """(C,) of one question."""
    choices = [str(choice) for choice in row["choices"]]
    encoded = tokenizer([row["question"]] * len(choices), choices, return_tensors="pt", padding=True)
    return network(**{name: value[None] for name, value in encoded.items()}).logits[0]


def test_each_question_is_answered_as_by_a_forward_pass_of_its_own(model):
    found = made.forward(model, Way(Choices(), Choice()), ROWS)
    for row, answer in zip(ROWS, found, strict=True):
        expected = logits(model.network, model.processor, row).softmax(-1)
        assert answer["probabilities"] == pytest.approx(expected.tolist(), abs=1e-5)
        assert answer["choice"] == int(expected.argmax())
        assert answer["text"] == str(row["choices"][answer["choice"]])


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_torchs_cross_entropy_over_the_choices(model, smoothing):
    teach, total = Teach(label_smoothing=smoothing), 0.0
    for row, right in zip(ROWS, [1, 2, 0, 2], strict=True):
        one = logits(model.network, model.processor, row)[None]
        expected = torch.nn.functional.cross_entropy(one, torch.tensor([right]), label_smoothing=smoothing)
        inputs = pad_rows(list(teach(model, [row])), 0)
        assert inputs["labels"].tolist() == [right]
        assert teach.loss(model.network, inputs).item() == pytest.approx(expected.item(), abs=1e-5)
        total += expected.item()
    assert total > 0


def test_one_command_trains_evaluates_and_leaves_a_checkpoint_that_the_library_loads(cli, tmp_path):
    """Numbered columns, and questions of two and of three choices in one step."""
    from transformers import AutoModelForMultipleChoice, AutoTokenizer

    lines = [
        {"sent1": "the bird", "ending0": "sings", "ending1": "rain", "label": 0},
        {"sent1": "the sun", "ending0": "rain", "ending1": "sings well", "label": 1},
        {"sent1": "she", "ending0": "rain", "ending1": "bad", "ending2": "sings", "label": 2},
        {"sent1": "he", "ending0": "bad", "ending1": "sings", "ending2": "moon", "label": 1},
    ] * 6
    folder = made.splits(tmp_path / "data", train=lines, validation=lines[:4], test=lines[:4])
    base = made.saved(made.model("AutoModel", initializer_range=0.1), tmp_path / "base")
    losses = []
    for batching in ("length", "padded"):
        before = set(cli.runs)
        ended = cli(
            "task=multiple_choice", "checkpoint=pretrained", f"checkpoint.name_or_path={base}", "data=files",
            f"data.path={folder}", "train=full", "train.max_steps=24", "train.batch_size=8", "train.learning_rate=5e-3",
            "train.log_every=1", "train.evaluate_every=8", "engine.threads=1", "train.precision=float32",
            "train.metric=accuracy", f"train.batching={batching}",
            "checkpoint.options={hidden_dropout_prob: 0.0, attention_probs_dropout_prob: 0.0}",
        )  # fmt: skip
        assert ended.code == 0, ended.err
        (run,) = set(cli.runs) - before
        losses.append(made.history(run, "loss"))
        assert losses[-1][-1] < losses[-1][0] / 2
        assert made.metrics(run)["accuracy"] == 1.0
    assert losses[0][:3] == pytest.approx(losses[1][:3], abs=1e-3)
    network = AutoModelForMultipleChoice.from_pretrained(run / "checkpoint").eval()
    tokenizer = AutoTokenizer.from_pretrained(run / "checkpoint")
    for line, answer in zip(map(json.loads, (folder / "test.jsonl").open()), made.predictions(run), strict=True):
        choices = [line[name] for name in sorted(line) if name.startswith("ending")]
        expected = logits(network, tokenizer, {"question": line["sent1"], "choices": choices}).softmax(-1)
        assert answer["probabilities"] == pytest.approx(expected.tolist(), abs=1e-5)
