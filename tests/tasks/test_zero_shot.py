"""Labels that nobody was taught: the library's pipeline is the judge."""

import pytest

from runner.encode.hypotheses import Hypotheses
from runner.errors import CheckpointError, DataError
from runner.interpret.entailment import Entailment
from runner.task import Way
from tests.tasks import made

AUTO = "AutoModelForSequenceClassification"
TEXTS = ["the bird sings well .", "🙂 fish", "she reads , he plays ! the unknown sun sleeps"]
LABELS = ["good", "bad", "风 🙂", "rain"]
NAMES = [  # where the class that follows stands; what the other ones are
    ("contradiction", "neutral", "entailment"),
    ("entailment", "neutral", "contradiction"),
    ("ENTAILMENT", "NOT_ENTAILMENT"),
    ("neutral", "entailed", "contradicts"),
]


def pipeline(model):
    from transformers import ZeroShotClassificationPipeline

    return ZeroShotClassificationPipeline(model=model.network, tokenizer=model.processor)


def answers(model, rows, labels=None, multi_label=False, **options):
    return made.forward(model, Way(Hypotheses(labels=labels, **options), Entailment(multi_label)), rows)


@pytest.mark.parametrize("labels", [LABELS, LABELS[:2], LABELS[:1]])
@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("names", NAMES)
def test_candidates_are_ranked_as_by_the_librarys_pipeline(names, multi_label, labels):
    model = made.model(AUTO, **made.classes(*names))
    template = "this is {} ."
    wanted = pipeline(model)(TEXTS, labels, hypothesis_template=template, multi_label=multi_label)
    found = answers(model, made.rows(text=TEXTS), labels, multi_label, template=template)
    for one, other in zip(found, wanted, strict=True):
        assert list(one["probabilities"]) == other["labels"]
        assert list(one["probabilities"].values()) == pytest.approx(other["scores"], abs=1e-5)
        assert (one["label"], one["score"]) == (other["labels"][0], pytest.approx(other["scores"][0], abs=1e-5))


def test_each_row_may_bring_its_own_candidates():
    model = made.model(AUTO, **made.classes(*NAMES[0]))
    rows = made.rows(text=TEXTS, candidates=[["good", "bad"], "bad , good,rain", ["fish"]])
    for row, found in zip(rows, answers(model, rows), strict=True):
        given = row["candidates"]
        labels = [label.strip() for label in given.split(",")] if isinstance(given, str) else given
        wanted = pipeline(model)(row["text"], labels, hypothesis_template="This example is {}.")
        assert found["probabilities"] == pytest.approx(
            dict(zip(wanted["labels"], wanted["scores"], strict=True)), abs=1e-5
        )


@pytest.mark.parametrize("given", [["a", "a"], "a,,b", [""], "a, a"])
def test_candidates_must_be_different_labels(given):
    model = made.model(AUTO, **made.classes(*NAMES[0]))
    with pytest.raises(DataError, match="a.jsonl:1: candidates must be different labels, got"):
        answers(model, made.rows(text=["a"], candidates=[given]))


def test_a_checkpoint_that_was_not_taught_inference_is_refused():
    model = made.model(AUTO, **made.classes("bad", "good"))
    with pytest.raises(CheckpointError, match=r"tiny knows no inference: none of its classes \(bad, good\) is called"):
        answers(model, made.rows(text=["a"]), ["x", "y"])


@pytest.mark.parametrize("wrong, told", [
    ({"template": "a text"}, "template must hold {} once"),
    ({"template": "{} {}"}, "template must hold {} once"),
    ({"labels": ["a", "a"]}, "labels must differ"),
])  # fmt: skip
def test_options_that_mean_nothing_are_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        Hypotheses(**wrong)


def test_the_command_line_scores_the_candidates_of_all_rows(cli, tmp_path):
    base = made.saved(made.model(AUTO, **made.classes(*NAMES[0])), tmp_path / "base")
    data = made.written(tmp_path / "rows.jsonl", [{"sentence": text} for text in TEXTS])
    ended = cli(
        "task=zero_shot_classification", "checkpoint=pretrained", f"checkpoint.name_or_path={base}", "data=files",
        f"data.path={data}", "task.predict.encode.labels=[good, bad]", "engine.threads=1",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    wanted = pipeline(made.model(AUTO, **made.classes(*NAMES[0])))(TEXTS, ["good", "bad"])
    for found, other in zip(made.predictions(cli.runs[0]), wanted, strict=True):
        assert (found["label"], found["score"]) == (other["labels"][0], pytest.approx(other["scores"][0], abs=1e-5))
