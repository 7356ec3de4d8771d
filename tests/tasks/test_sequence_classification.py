"""Texts to labels: the library's pipeline is the judge of answers, torch and scikit-learn of losses and weights."""

import json
import math

import numpy
import pytest
import torch

from runner.encode.texts import Texts
from runner.errors import DataError
from runner.interpret.labels import Labels
from runner.task import Way
from runner.teach.classes import class_options, weights
from runner.teach.labels import Labels as Teach
from tests.tasks import made

AUTO = "AutoModelForSequenceClassification"
NAMES = ("bad", "good", "so so")


def pipeline(model, **options):
    from transformers import TextClassificationPipeline

    return TextClassificationPipeline(model=model.network, tokenizer=model.processor, **options)


def answers(model, rows, **options):
    return made.forward(model, Way(Texts(), Labels(**options)), rows)


def scores(pairs):
    return {one["label"]: one["score"] for one in pairs}


@pytest.mark.parametrize(
    "kind, function", [("single_label_classification", "softmax"), ("multi_label_classification", "sigmoid")]
)
def test_probabilities_of_texts_are_those_of_the_librarys_pipeline(kind, function):
    model = made.model(AUTO, problem_type=kind, **made.classes(*NAMES))
    expected = pipeline(model, top_k=None, function_to_apply=function)(made.TEXTS)
    for text, found, wanted in zip(made.TEXTS, answers(model, made.rows(text=made.TEXTS)), expected, strict=True):
        assert found["probabilities"] == pytest.approx(scores(wanted), abs=1e-5), text
        if function == "softmax":
            assert found["label"] == wanted[0]["label"]
            assert found["score"] == pytest.approx(wanted[0]["score"], abs=1e-5)
        else:
            assert sorted(found["labels"]) == sorted(one["label"] for one in wanted if one["score"] >= 0.5)


def test_pairs_are_read_as_the_librarys_pipeline_reads_them():
    model = made.model(AUTO, **made.classes(*NAMES))
    pairs = [{"text": text, "text_pair": other} for text, other in zip(made.TEXTS, made.TEXTS[::-1], strict=True)]
    rows = [{"row": at} | pair for at, pair in enumerate(pairs)]
    expected = [pipeline(model, top_k=None)(pair) for pair in pairs]
    for found, wanted in zip(answers(model, rows), expected, strict=True):
        assert found["probabilities"] == pytest.approx(scores(wanted), abs=1e-5)
    mixed = answers(model, [rows[0], {"row": 1, "text": "fish"}])  # a pair beside a text alone
    assert mixed[0]["probabilities"] == pytest.approx(scores(expected[0]), abs=1e-5)
    assert mixed[1]["probabilities"] == pytest.approx(scores(pipeline(model, top_k=None)(["fish"])[0]), abs=1e-5)


def test_a_quantity_is_the_output_itself():
    model = made.model(AUTO, problem_type="regression", **made.classes("LABEL_0"))
    expected = pipeline(model, function_to_apply="none")(made.TEXTS)
    found = answers(model, made.rows(text=made.TEXTS))
    assert found == pytest.approx([one["score"] for one in expected], abs=1e-5)


def test_the_best_classes_stand_apart_where_they_are_asked_for():
    model = made.model(AUTO, **made.classes(*NAMES))
    expected = pipeline(model, top_k=2)(made.TEXTS)
    for found, wanted in zip(answers(model, made.rows(text=made.TEXTS), top_k=2), expected, strict=True):
        assert list(found["top"]) == [one["label"] for one in wanted]
        assert len(found["probabilities"]) == 3


def test_a_label_holds_from_its_threshold_on():
    model = made.model(AUTO, problem_type="multi_label_classification", **made.classes(*NAMES))
    rows = made.rows(text=made.TEXTS)
    for threshold in (0.0, 0.3, 0.9, 1.0):
        for found in answers(model, rows, threshold=threshold):
            assert found["labels"] == [name for name, p in found["probabilities"].items() if p >= threshold]


def test_a_text_longer_than_the_context_is_cut_at_its_end_and_says_so():
    model = made.model(AUTO, **made.classes(*NAMES))
    rows = made.rows(text=["fish " * 100, "fish"], text_pair=["bird", "fish " * 100])
    for text, of in ((["text"], rows), (["text", "text_pair"], rows)):
        for (feature,) in Texts(pair="text_pair" if len(text) > 1 else None)(model, of[: len(text)]):
            assert len(feature["input_ids"]) == made.CONTEXT and feature["input_ids"][-1] == 3
            assert "the context of tiny is 64" in feature["aside"]["note"]
    ((feature,), _) = Texts(tokens=8)(model, rows)
    assert model.processor.convert_ids_to_tokens(feature["input_ids"]) == [
        "[CLS]", "fish", "fish", "fish", "fish", "[SEP]", "bird", "[SEP]"
    ]  # fmt: skip


# Teaching


def loss(model, teach, rows, dropout=False):
    """The mean loss of the rows in one batch."""
    from runner.engine.forward import pad_rows

    inputs = pad_rows(list(teach(model, rows)), 0)
    return (teach.loss(model.network, inputs) / teach.items(inputs)).item()


def plain_logits(model, rows):
    texts = [row["text"] for row in rows]
    return model.network(**model.processor(texts, return_tensors="pt", padding=True)).logits


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_loss_of_classes_is_torchs_cross_entropy(smoothing):
    model = made.model(AUTO, problem_type="single_label_classification", **made.classes(*NAMES))
    rows = made.rows(text=made.TEXTS, label=["bad", "good", 2, 0, "so so", "1"])
    expected = torch.nn.functional.cross_entropy(
        plain_logits(model, rows), torch.tensor([0, 1, 2, 0, 2, 1]), label_smoothing=smoothing
    )
    assert loss(model, Teach(label_smoothing=smoothing), rows) == pytest.approx(expected.item(), abs=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_weighted_classes_divide_by_the_weights_as_torch_does(smoothing):
    model = made.model(AUTO, problem_type="single_label_classification", **made.classes(*NAMES))
    labels = torch.tensor([0, 1, 2, 0, 2, 0])
    rows = made.rows(text=made.TEXTS, label=labels.tolist())
    logits = plain_logits(model, rows)
    # balanced: 6 rows, 3 classes: 6 / (3 * 3), 6 / (3 * 1), 6 / (3 * 2), as scikit-learn's compute_class_weight
    for wanted, by_hand in (("balanced", [2 / 3, 2.0, 1.0]), ({"good": 5, "bad": 0.5}, [0.5, 5.0, 1.0])):
        weight = torch.tensor(by_hand)
        each = torch.nn.functional.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)
        expected = (each * weight[labels]).sum() / weight[labels].sum()
        if not smoothing:  # smoothed, torch weighs each class of a row by itself
            assert expected.item() == pytest.approx(
                torch.nn.functional.cross_entropy(logits, labels, weight=weight).item(), abs=1e-6
            )
        found = loss(model, Teach(class_weights=wanted, label_smoothing=smoothing), rows)
        assert found == pytest.approx(expected.item(), abs=1e-5)


def test_balanced_weights_are_those_of_scikit_learn():
    sklearn = pytest.importorskip("sklearn.utils.class_weight")
    labels = [0] * 7 + [1] * 2 + [2]
    expected = sklearn.compute_class_weight("balanced", classes=numpy.arange(3), y=labels)
    assert weights({0: 7, 1: 2, 2: 1}, "balanced", NAMES) == pytest.approx(list(expected))


def test_several_labels_are_taught_by_torchs_binary_cross_entropy():
    model = made.model(AUTO, problem_type="multi_label_classification", **made.classes(*NAMES))
    labels = [["bad"], [], ["good", "so so"], [2], ["bad", "good", "so so"], [1, 0, 1]]  # the last is an indicator
    rows = made.rows(text=made.TEXTS, label=labels)
    target = torch.tensor([[1, 0, 0], [0, 0, 0], [0, 1, 1], [0, 0, 1], [1, 1, 1], [1, 0, 1]]).float()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(plain_logits(model, rows), target)
    assert loss(model, Teach(), rows) == pytest.approx(expected.item(), abs=1e-5)


def test_a_quantity_is_taught_by_the_mean_squared_error():
    model = made.model(AUTO, problem_type="regression", num_labels=1)
    rows = made.rows(text=made.TEXTS, label=[0.5, "1.5", -2, 3, 0, 1e3])
    wanted = torch.tensor([0.5, 1.5, -2, 3, 0, 1e3])
    expected = torch.nn.functional.mse_loss(plain_logits(model, rows).squeeze(-1), wanted)
    assert loss(model, Teach(), rows) == pytest.approx(expected.item(), rel=1e-5)


CONFIG = made.config(num_labels=2)
NAMED = made.config(**made.classes("bad", "good"))


@pytest.mark.parametrize(
    "labels, config, problem, names",
    [
        (["b", "a", "b"], CONFIG, "single_label_classification", ["a", "b"]),
        ([0, 1, 3], CONFIG, "single_label_classification", ["0", "1", "2", "3"]),
        (["0", "1"], CONFIG, "single_label_classification", ["0", "1"]),
        ([True, False], CONFIG, "single_label_classification", ["0", "1"]),
        ([1.0, 0.0], CONFIG, "single_label_classification", ["0", "1"]),
        ([2000, 10, 300], CONFIG, "single_label_classification", ["10", "300", "2000"]),
        (["good", "bad"], NAMED, "single_label_classification", None),
        ([0, 1], NAMED, "single_label_classification", None),
        (["good", "fine"], NAMED, "single_label_classification", ["fine", "good"]),
        ([["b"], ["a", "b"], []], CONFIG, "multi_label_classification", ["a", "b"]),
        ([0.5, 1, 2], CONFIG, "regression", ["label"]),
        (["0.5", "1"], CONFIG, "regression", ["label"]),
    ],
)
def test_the_training_rows_say_what_the_network_has_to_learn(labels, config, problem, names):
    decided = Teach().options([{"label": label} for label in labels], config)
    assert decided["problem_type"] == problem
    if names is None:  # the checkpoint's own
        assert set(decided) == {"problem_type"}
    else:
        assert decided["id2label"] == dict(enumerate(names)) and decided["num_labels"] == len(names)
        assert decided["label2id"] == {name: at for at, name in enumerate(names)}


@pytest.mark.parametrize("labels", [["a", "a"], [1, 1.0, "1", True], []])
def test_one_class_alone_cannot_be_taught(labels):
    with pytest.raises(DataError, match=r"all training rows have one label \(.*\): there is nothing to tell apart"):
        class_options(labels, CONFIG, "label")


# By the command line


SUNNY, RAINY = (
    ["the sun sings", "sun well", "a good sun !", "sun"],
    ["the rain sleeps", "bad rain", "rain , rain", "rain"],
)


def data(folder, label, times=4):
    lines = [{"sentence": text, "label": label(text)} for text in (SUNNY + RAINY) * times]
    return made.splits(folder, train=lines, validation=lines[:8], test=lines[8:14])


@pytest.fixture
def base(tmp_path):
    return made.saved(made.model("AutoModel", initializer_range=0.1), tmp_path / "base")


def train(cli, base, folder, *more):
    return cli(
        "task=sequence_classification", "checkpoint=pretrained", f"checkpoint.name_or_path={base}", "data=files",
        f"data.path={folder}", "train=full", "train.max_steps=24", "train.batch_size=8", "train.learning_rate=5e-3",
        "train.log_every=4", "train.evaluate_every=8", "engine.threads=1", "train.precision=float32", *more,
    )  # fmt: skip


KINDS = {
    "names": (lambda text: "fine" if "sun" in text else "wet", "accuracy", 1.0, {0: "fine", 1: "wet"}),
    "several": (
        lambda text: ["fine"] if "sun" in text else ["wet", "cold"], "micro_f1", 1.0, {0: "cold", 1: "fine", 2: "wet"}
    ),
    "none": (lambda text: ["dry", "fine"] if "sun" in text else [], "micro_f1", 1.0, {0: "dry", 1: "fine"}),
    "quantity": (lambda text: 0.9 if "sun" in text else -0.5, "pearson", 0.95, {0: "label"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_one_command_trains_evaluates_and_leaves_a_checkpoint_that_the_library_loads(cli, base, tmp_path, kind):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    label, number, least, names = KINDS[kind]
    ended = train(cli, base, data(tmp_path / "data", label), f"train.metric={number}")
    assert ended.code == 0, ended.err
    (run,) = cli.runs
    losses = made.history(run, "loss")
    assert losses[-1] < losses[0] / 2
    assert made.metrics(run)[number] >= least
    network = AutoModelForSequenceClassification.from_pretrained(run / "checkpoint").eval()
    tokenizer = AutoTokenizer.from_pretrained(run / "checkpoint")
    assert network.config.id2label == names and network.config.num_labels == len(names)
    lines = [json.loads(line) for line in (tmp_path / "data" / "test.jsonl").open()]
    for line, found in zip(lines, made.predictions(run), strict=True):
        logits = network(**tokenizer(line["sentence"], return_tensors="pt")).logits[0]
        if kind == "quantity":
            assert found == pytest.approx(logits.item(), abs=1e-5)
        else:
            expected = logits.softmax(-1) if kind == "names" else logits.sigmoid()
            assert list(found["probabilities"].values()) == pytest.approx(expected.tolist(), abs=1e-5)
            assert list(found["probabilities"]) == list(names.values())


def test_the_loss_of_a_whole_step_is_weighted_whatever_its_micro_batches(cli, base, tmp_path):
    """Balanced weights of 24 and 8 rows are 32 / 48 and 32 / 16; the first loss is that of the base itself."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    lines = [{"text": text, "label": "a"} for text in SUNNY * 6] + [{"text": text, "label": "b"} for text in RAINY * 2]
    folder = made.splits(tmp_path / "data", train=lines, validation=lines[20:28], test=lines[20:28])
    named = made.model(AUTO, **made.classes("a", "b"), hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    base = made.saved(named, tmp_path / "named")
    ended = train(
        cli, base, folder, "train.batch_size=32", "train.micro_batch_tokens=24", "train.max_steps=2",
        "train.log_every=1", "task.teach.class_weights=balanced", "task.teach.label_smoothing=0.1",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    network, tokenizer = (
        AutoModelForSequenceClassification.from_pretrained(base).eval(),
        AutoTokenizer.from_pretrained(base),
    )
    total = count = 0.0
    for line in lines:
        logits = network(**tokenizer(line["text"], return_tensors="pt")).logits
        weight = {"a": 2 / 3, "b": 2.0}[line["label"]]
        target = torch.tensor([int(line["label"] == "b")])
        total += weight * torch.nn.functional.cross_entropy(logits, target, label_smoothing=0.1).item()
        count += weight
    assert made.history(cli.runs[0], "loss")[0] == pytest.approx(total / count, abs=1e-4)


@pytest.mark.parametrize(("kind", "metric"), [("names", "macro_f1"), ("quantity", "spearman")])
def test_training_ends_where_the_metric_asked_for_gets_no_better(cli, base, tmp_path, kind, metric):
    label, _, least, _ = KINDS[kind]
    ended = train(
        cli, base, data(tmp_path / "data", label), "train.max_steps=200", f"train.metric={metric}", "train.patience=2",
        "train.evaluate_every=4",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert f"stopped early: no better {metric} in 2 evaluations" in ended.out
    (run,) = cli.runs
    reached = made.history(run, f"eval_{metric}")
    best = reached.index(max(reached))
    assert len(reached) == best + 3 and made.metrics(run)[metric] >= 0.8 * least


def test_labels_that_the_base_names_already_keep_their_places(cli, tmp_path):
    base = made.saved(made.model(AUTO, **made.classes("wet", "so so", "fine")), tmp_path / "named")
    ended = train(cli, base, data(tmp_path / "data", lambda text: "fine" if "sun" in text else "wet"))
    assert ended.code == 0, ended.err
    config = json.loads((cli.runs[0] / "checkpoint" / "config.json").read_text())
    assert config["id2label"] == {"0": "wet", "1": "so so", "2": "fine"}


def test_odd_texts_are_texts(cli, base, tmp_path):
    odd = ["🙂" * 30, "\x07\x00", "a\tb\nc", "风 🙂 月", "\u200b", "[SEP] [MASK]", "é", "x" * 500]
    lines = [{"text": text, "label": at % 2} for at, text in enumerate(odd)]
    ended = train(
        cli, base, made.splits(tmp_path / "data", train=lines, validation=lines, test=lines), "train.max_steps=4"
    )
    assert ended.code == 0, ended.err
    found = made.predictions(cli.runs[0])
    assert len(found) == 8 and all(math.isclose(sum(one["probabilities"].values()), 1, abs_tol=1e-6) for one in found)
