"""What a user can get wrong in a task: one line that names the place, exit code 2, before any work is lost."""

import pytest

from tests.tasks import made

LABELLED = [{"text": text, "label": at % 2} for at, text in enumerate(made.TEXTS)]
PAIRED = [{"text": "a", "text_pair": "b", "label": at % 2} for at in range(6)]
ASKED = [{"question": "he", "choices": ["sings", "bad"], "label": at % 2} for at in range(4)]
SPLITS = ("train", "validation", "test")
TRAIN = ("train=full", "train.max_steps=2", "train.evaluate_every=2", "train.batch_size=4")


@pytest.fixture(scope="session")
def bases(tmp_path_factory):
    """A checkpoint of each kind."""
    folder = tmp_path_factory.mktemp("bases")
    kinds = {
        "bert": made.model("AutoModelForPreTraining"),
        "labels": made.model("AutoModelForSequenceClassification", **made.classes("bad", "good")),
        "inference": made.model("AutoModelForSequenceClassification", **made.classes("entailment", "other")),
        "gpt2": made.model("AutoModelForCausalLM", "gpt2"),
        "bart": made.model("AutoModelForSeq2SeqLM", "bart"),
    }
    return {name: made.saved(one, folder / name) for name, one in kinds.items()}


def told(cli, base, tmp_path, task, rows, *more):
    """How a command ends; rows of one list for all splits, or by split."""
    by_split = rows if isinstance(rows, dict) else dict.fromkeys(SPLITS, rows)
    folder = made.splits(tmp_path / "data", **by_split)
    path = folder if len(by_split) > 1 else folder / f"{next(iter(by_split))}.jsonl"
    return cli(
        f"task={task}", "checkpoint=pretrained", f"checkpoint.name_or_path={base}", "data=files", f"data.path={path}",
        "engine.threads=1", *more,
    )  # fmt: skip


def only(*rows):
    return {"rows": list(rows)}


def changed(split, at, **columns):
    """LABELLED, of which one row of one split is another."""
    by_split = {name: [dict(row) for row in LABELLED] for name in SPLITS}
    by_split[split][at] |= columns
    return by_split


CASES = {
    "a metric of another task": (
        "sequence_classification", "bert", LABELLED, (*TRAIN, "train.metric=bleu"),
        "train.metric  bleu is no number of task sequence_classification; known: loss, accuracy, macro_f1",
    ),
    "a metric that is none": (
        "masked_lm", "bert", [{"text": "fish"}] * 4, (*TRAIN, "train.metric=acuracy"),
        "train.metric  acuracy is no number of task masked_lm; known: loss, accuracy",
    ),
    "a label of validation alone": (
        "sequence_classification", "bert", changed("validation", 2, label=7), TRAIN,
        "validation.jsonl:3: label 7 is not among",
    ),
    "one class": (
        "sequence_classification", "bert", [{"text": "a", "label": "x"}] * 6, TRAIN,
        "all training rows have one label (x): there is nothing to tell apart",
    ),
    "no text": (
        "sequence_classification", "labels", only({"texte": "a", "label": 1}), (),
        "needs column 'text'; rows.jsonl has texte, label: map it with data.columns.text=<name>",
    ),
    "no label": (
        "sequence_classification", "bert",
        {"train": [{"text": "a", "klass": 1}] * 4, "validation": LABELLED, "test": LABELLED}, TRAIN,
        "needs column 'label'; train.jsonl has text, klass: map it with data.columns.label=<name>",
    ),
    "a row without its label": (
        "sequence_classification", "bert", changed("train", 1, label=None), TRAIN, "train.jsonl:2: label is null",
    ),
    "a number for a text": (
        "sequence_classification", "labels", only({"text": "a"}, {"text": 5}), (),
        "rows.jsonl:2: text is the number 5, not text",
    ),
    "a number for a second text": (
        "next_sentence_prediction", "bert", only({"text": "a", "text_pair": 5}), (),
        "rows.jsonl:1: text_pair is the number 5, not text",
    ),
    "a quantity that is none": (
        "sequence_classification", "bert", changed("train", 2, label="much"), (*TRAIN, "task.teach.problem=regression"),
        "train.jsonl:3: label must be a number, got 'much'",
    ),
    "weights of a class that is none": (
        "sequence_classification", "bert", LABELLED, (*TRAIN, "task.teach.class_weights={x: 2}"),
        "class_weights names 'x', which is no class; known: 0, 1",
    ),
    "weights of several classes": (
        "sequence_classification", "bert", [{"text": "a", "label": ["x", "y"][: 1 + at % 2]} for at in range(6)],
        (*TRAIN, "task.teach.class_weights=balanced"),
        "class_weights must be null where the problem is multi_label_classification: no row has one class",
    ),
    "weights of a quantity": (
        "sequence_classification", "bert", [{"text": "a", "label": at / 4} for at in range(6)],
        (*TRAIN, "task.teach.class_weights={x: 2}"),
        "class_weights must be null where the problem is regression: no row has one class",
    ),
    "no blank": (
        "masked_lm", "bert", only({"text": "[MASK] a"}, {"text": "fish"}), (),
        "rows.jsonl:2: text has no blank to fill: write [MASK]",
    ),
    "a candidate of several tokens": (
        "masked_lm", "bert", only({"text": "[MASK] a"}), ("task.predict.interpret.targets=[fish, unknown]",),
        "targets: 'unknown' is not one token of",
    ),
    "no candidate at all": (
        "masked_lm", "bert", only({"text": "[MASK] a"}), ("task.predict.interpret.targets=[]",),
        "targets must be null or name a word, but is empty",
    ),
    "a number of words that is none": (
        "masked_lm", "bert", only({"text": "[MASK] a"}), ("task.predict.interpret.top_k=0",),
        "task.predict.interpret  runner.interpret.masked.Fills: top_k >= 1 must hold, but got 0",
    ),
    "a number of classes that is none": (
        "sequence_classification", "labels", only({"text": "a"}), ("task.predict.interpret.top_k=0",),
        "task.predict.interpret  runner.interpret.labels.Labels: top_k >= 1 must hold, but got 0",
    ),
    "a share that is none": (
        "masked_lm", "bert", [{"text": "fish"}] * 4, (*TRAIN, "task.teach.share=1.5"),
        "0 < share < 1 must hold, but got 1.5",
    ),
    "no candidates": (
        "zero_shot_classification", "inference", only({"text": "a"}), (),
        "needs column 'candidates'; rows.jsonl has text: map it with data.columns.candidates=<name>",
    ),
    "candidates of nothing": (
        "zero_shot_classification", "inference",
        only({"text": "a", "candidates": ["x"]}, {"text": "a", "candidates": []}), (),
        "rows.jsonl:2: candidates is an empty list",
    ),
    "labels of nothing": (
        "zero_shot_classification", "inference", only({"text": "a"}), ("task.predict.encode.labels=[]",),
        "labels must be null or name a candidate, but is empty",
    ),
    "a template without a place": (
        "zero_shot_classification", "inference", only({"text": "a", "candidates": ["x"]}),
        ("task.predict.encode.template=this",), "template must hold {} once, where the label goes, but is 'this'",
    ),
    "no inference": (
        "zero_shot_classification", "labels", only({"text": "a", "candidates": ["x", "y"]}), (),
        "knows no inference: none of its classes (bad, good) is called entailment",
    ),
    "a decoder for blanks": (
        "masked_lm", "gpt2", only({"text": "[MASK] a"}), (),
        "architecture gpt2 is not a masked LM (AutoModelForMaskedLM); it fits: AutoModelForCausalLM",
    ),
    "an encoder for texts of texts": (
        "seq2seq_lm", "bert", only({"source": "a"}), (),
        "architecture bert is not a seq2seq LM (AutoModelForSeq2SeqLM); it fits: ",
    ),
    "a decoder for choices": (
        "multiple_choice", "gpt2", only(ASKED[0]), (), "architecture gpt2 is not made for multiple choice",
    ),
    "no choices": (
        "multiple_choice", "bert", only(ASKED[0], ASKED[1] | {"choices": []}), (),
        "rows.jsonl:2: choices is an empty list",
    ),
    "no choices to learn from": (
        "multiple_choice", "bert", {"train": [*ASKED, ASKED[1] | {"choices": []}], "validation": ASKED, "test": ASKED},
        TRAIN, "train.jsonl:5: choices is an empty list",
    ),
    "choices that are no list": (
        "multiple_choice", "bert", only(ASKED[0] | {"choices": 5}), (), "rows.jsonl:1: choices is the number 5",
    ),
    "a choice that is not there": (
        "multiple_choice", "bert", [*ASKED, ASKED[1] | {"label": "D"}], TRAIN,
        "train.jsonl:5: label 'D' names none of the 2 choices: give a number from 0 to 1, a letter from A to B",
    ),
    "a similarity that is none": (
        "text_encoding", "bert", [{"sentence1": "a", "sentence2": "b", "score": "very"}] * 4,
        (*TRAIN, "task.teach.by=cosine"), "train.jsonl:1: score must be a number, got 'very'",
    ),
    "a pooling that is none": (
        "text_encoding", "bert", only({"text": "a"}), ("task.predict.interpret.pooling=max",),
        "task.predict.interpret  runner.interpret.embedding.Embedding: pooling must be one of mean, cls, last, tokens",
    ),
    "a file of vectors that is none": (
        "text_encoding", "bert", only({"text": "a"}), ("task.predict.export.format=csv",),
        "task.predict.export  runner.interpret.vectors.Vectors: format must be npy, parquet or none, but got csv",
    ),
    "nothing to train a task that only runs": (
        "zero_shot_classification", "inference", LABELLED, TRAIN,
        "train.method  task zero_shot_classification has no training format (task.teach is null): it only runs",
    ),
    "no target to write": (
        "seq2seq_lm", "bart", [{"source": "a", "ziel": "b"}] * 4, TRAIN,
        "needs column 'target'; test.jsonl has source, ziel: map it with data.columns.target=<name>",
    ),
    "texts that hold nothing": (
        "sequence_classification", "labels", only({"text": "a"}, {"text": "  "}), (),
        "rows.jsonl:2: text holds only spaces",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_one_line_that_names_its_place(cli, bases, tmp_path, case):
    task, base, rows, more, expected = CASES[case]
    ended = told(cli, bases[base], tmp_path, task, rows, *more)
    assert ended.code == 2, ended.err[-1500:]
    assert expected in ended.err
    assert "Traceback" not in ended.err
    lines = [line for line in ended.err.strip().splitlines() if not line.startswith(("Writing", "Loading"))]
    assert len(lines) <= 2 and all(len(line) < 400 for line in lines), ended.err  # "1 problem in the configuration:"


def test_a_label_of_test_alone_is_told_before_the_training(cli, bases, tmp_path):
    ended = told(cli, bases["bert"], tmp_path, "sequence_classification", changed("test", 3, label="new"), *TRAIN)
    assert ended.code == 2
    assert "DataError: test.jsonl:4: label 'new' is not among the model's: 0, 1" in ended.err
    assert not (cli.runs[0] / "training").exists()
