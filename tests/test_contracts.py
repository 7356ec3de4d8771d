"""What every Encode, Interpret, Teach, Metric and Export that conf/ names must do; a new YAML brings its tests with it.

Each task gets rows under its own columns, odd ones among them, and a tiny network of its Auto class.
"""

import dataclasses
import json
import pickle
from functools import cache

import pytest
import torch
import yaml

from runner.build import build
from runner.config import TaskConfig
from runner.task import Task
from runner.teach.causal import Causal
from runner.train.corpus import Corpus
from runner.train.layout import Layout
from runner.types import Encode, Estimate, Export, Interpret, Metric, Teach
from runner.usage import config_dir
from tests.tasks import made

ODD = [
    "春江花月夜",
    "a",
    "🙂 emoji, the bird",
    "tab\tand\nnewline. He sings. She sleeps",
    "\u200b\ufeff",
    "[SEP] [PAD] fish",
    "é" * 50,
    "\x00\x07",
    "  spaces  ",
    "the unknown moon plays well. the sun is a bad example! rain? " * 2,
]
KINDS = {"encode": Encode, "interpret": Interpret, "teach": Teach, "export": Export, "hide": Teach}


def named(node, where=()):
    """(place, node) of everything that a YAML file names by _target_."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield where, node
        for key, value in node.items():
            yield from named(value, (*where, key))


def collected(only=None):
    for path in sorted(config_dir().rglob("*.yaml")):
        for place, node in named(yaml.safe_load(path.read_text())):
            kind = Metric if place[-2:-1] == ("metrics",) else KINDS.get(place[-1])
            assert kind is not None, f"{path.name}: {'.'.join(place)} has no contract"
            if only in (None, kind):
                yield pytest.param(node, kind, id=f"{path.stem}:{'.'.join(place)}")


def words(text):
    return text.split() or ["a"]


def answer(at, context):
    """The first word of the context; every third row has no answer."""
    text = context.split()[:1] if at % 3 else []
    return {"text": text, "answer_start": [context.index(one) for one in text]}


COLUMNS = {  # of canonical names; `text` is the odd one of the row
    "text": lambda at, text: text,
    "text_pair": lambda at, text: ODD[at - 1],
    "sentence1": lambda at, text: text,
    "sentence2": lambda at, text: ODD[at - 1],
    "source": lambda at, text: text,
    "target": lambda at, text: ODD[at - 1],
    "query": lambda at, text: text,
    "document": lambda at, text: ODD[at - 1],
    "question": lambda at, text: text,
    "context": lambda at, text: text,
    "answers": answer,
    "choices": lambda at, text: ["he sings", "a", "fish 🙂"][: 2 + at % 2],
    "candidates": lambda at, text: ["good", "bad 🙂", "a"][: 1 + at % 3],
    "tokens": lambda at, text: words(text),
    "tags": lambda at, text: [["O", "B-PER", "I-PER"][number % 3] for number in range(len(words(text)))],
    "label": lambda at, text: at % 2,
    "score": lambda at, text: at / 10,
}
LABELS = {  # kinds of labels that one task knows
    "sequence_classification": [
        lambda at, text: at % 2,
        lambda at, text: ["good", "bad", "so so"][at % 3],
        lambda at, text: [["good"], ["bad", "good"], []][at % 3],
        lambda at, text: at / 4,
    ]
}
NETWORKS = {"AutoModelForCausalLM": "gpt2", "AutoModelForSeq2SeqLM": "bart"}
INFERENCE = made.classes("contradiction", "neutral", "entailment")


@dataclasses.dataclass(frozen=True)
class Case:
    """A task of conf/ with a kind of labels."""

    name: str
    labels: int

    @property
    def task(self):
        written = yaml.safe_load((config_dir() / "task" / f"{self.name}.yaml").read_text())
        written.pop("defaults", None)
        return Task.build(TaskConfig(**written))

    def rows(self, encode=None):
        columns = dict(COLUMNS)
        if self.name in LABELS:
            columns["label"] = LABELS[self.name][self.labels]
        names = {*self.task.columns, "text"}
        blank = " [MASK]" if type(encode).__name__ == "Blanks" else ""
        return [
            {"row": at, "place": f"odd:{at + 1}"} | {name: columns[name](at, text + blank) for name in names}
            for at, text in enumerate(ODD)
        ]

    def model(self):
        return network(self)


@cache
def network(case):
    """Of the task's Auto class; its classes are those of the rows."""
    task = case.task
    plain = INFERENCE if case.name == "zero_shot_classification" else {}
    config = made.config(NETWORKS.get(task.auto_class, "bert"), **plain)
    options = task.teach.options(case.rows(), config) if task.teach else {}
    return made.model(task.auto_class, NETWORKS.get(task.auto_class, "bert"), **plain | options)


CASES = [
    Case(path.stem, labels)
    for path in sorted((config_dir() / "task").glob("*.yaml"))
    for labels in range(len(LABELS.get(path.stem, [None])))
]
WAYS = [(case, way) for case in CASES for way in ("predict", "evaluate")]
WAYS = [(case, way) for case, way in WAYS if way == "predict" or case.task.evaluate != case.task.predict]
ways = pytest.mark.parametrize("case, way", [pytest.param(c, w, id=f"{c.name}-{c.labels}-{w}") for c, w in WAYS])
taught = pytest.mark.parametrize("case", [pytest.param(c, id=f"{c.name}-{c.labels}") for c in CASES if c.task.teach])


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.mark.parametrize("node, kind", list(collected()))
class TestObject:
    def test_it_is_a_frozen_dataclass_that_survives_pickling(self, node, kind):
        one = build(node, "contract", kind)
        assert dataclasses.is_dataclass(one) and type(one).__dataclass_params__.frozen
        assert pickle.loads(pickle.dumps(one)) == one
        assert type(one).__doc__ and (one.score if kind is Metric else one.__call__).__doc__

    def test_every_option_is_listed_in_the_yaml_or_has_a_default(self, node, kind):
        for field in dataclasses.fields(build(node, "contract", kind)):
            missing = field.default is field.default_factory is dataclasses.MISSING
            assert field.name in node or not missing


def answered(case, way, rows, budget=200):
    """Answers in batches of at most `budget` tokens; what is generated is three tokens of the prompt."""
    if not way.generates:
        return made.forward(case.model(), way, rows, budget)
    model = case.model()
    return [
        way.interpret(model, row, features, [features[0]["input_ids"][:3]])
        for row, features in zip(rows, way.encode(model, rows), strict=True)
    ]


def close(one, other):
    """Equal, numbers within 1e-5."""
    if isinstance(one, float):
        return one == pytest.approx(other, abs=1e-5, rel=1e-5)
    if isinstance(one, dict):
        return sorted(one) == sorted(other) and all(close(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(close, one, other))
    return one == other


@ways
class TestWay:
    def test_a_row_holds_the_columns_that_are_asked_for(self, case, way):
        encode = getattr(case.task, way).encode
        assert set(encode.columns) <= set(case.rows(encode)[0])
        known = {*case.task.columns, "text", "question", "context", "tokens"}
        assert {*encode.columns, *encode.optional} <= known

    def test_one_list_of_features_for_each_row_the_same_alone_and_among_others(self, case, way):
        encode = getattr(case.task, way).encode
        rows = case.rows(encode)
        encoded = encode(case.model(), rows)
        assert len(encoded) == len(ODD)
        for features in encoded:
            for feature in features:
                lists = {name: values for name, values in feature.items() if name != "aside"}
                assert all(type(token) is int for values in lists.values() for token in values)
                assert feature["input_ids"] and {len(values) for values in lists.values()} == {
                    len(feature["input_ids"])
                }
                assert len(feature["input_ids"]) <= made.CONTEXT or way.generates or "branch" in feature
        assert [encode(case.model(), [row])[0] for row in rows] == encoded

    def test_answers_are_json_and_the_same_in_every_batch_and_order(self, case, way):
        way = getattr(case.task, way)
        rows = case.rows(way.encode)
        together = answered(case, way, rows, budget=10_000)
        assert json.loads(json.dumps(together, allow_nan=False)) == together
        for budget in (1, 40):
            assert close(answered(case, way, rows[::-1], budget)[::-1], together)

    def test_scores_are_json_and_each_number_lies_in_its_interval(self, case, way):
        way = getattr(case.task, way)
        rows = case.rows(way.encode)
        answers = answered(case, way, rows)
        for metric in way.metrics.values():
            scores = [metric.score(row, answer) for row, answer in zip(rows, answers, strict=True)]
            assert json.loads(json.dumps(scores, allow_nan=False)) == scores
            assert dict(metric.summarise(iter([]))) == {} and dict(metric.summarise(iter([{}, {}]))) == {}
            found = metric.summarise(iter(scores))
            assert bool(found) == any(scores)
            for name, estimate in found.items():
                assert isinstance(estimate, Estimate) and 0 < estimate.n <= len(rows)
                assert name in metric.numbers() or name.rpartition("_")[0] in metric.numbers()
                if estimate.low is not None:
                    assert estimate.low - 1e-9 <= estimate.value <= estimate.high + 1e-9

    def test_files_of_an_export_are_those_that_it_names(self, case, way, tmp_path):
        way = getattr(case.task, way)
        if way.export is None:
            return
        rows = case.rows(way.encode)
        lines = [{"row": at, "prediction": answer} for at, answer in enumerate(answered(case, way, rows))]
        names = way.export(tmp_path, iter(lines))
        assert sorted(names) == sorted(path.name for path in tmp_path.iterdir()) and names


@pytest.mark.parametrize("node, kind", list(collected(Metric)))
def test_every_metric_has_answers_that_it_scores(node, kind):
    """Those of the task that names it, or else texts: checkpoints bring metrics of their own."""
    metric = build(node, "contract", kind)
    naming = [(c, getattr(c.task, w)) for c, w in WAYS if metric in getattr(c.task, w).metrics.values()]
    for case, way in naming or [(Case("causal_lm", 0), Case("causal_lm", 0).task.predict)]:
        rows = case.rows(way.encode)
        if any(map(metric.score, rows, answered(case, way, rows))):
            return
    pytest.fail("it scores nothing")


def examples(case):
    """Training examples with all that is drawn for them, each by itself: so they are the same in every layout."""
    model, teach, made_ones = case.model(), case.task.teach, []
    for at, example in enumerate(teach(model, case.rows())):
        (alone,) = Layout("padded", 1, 0)([example])["micro"]
        drawn = teach.prepare(model, alone, torch.Generator().manual_seed(at))
        left_to_layout = {"attention_mask", *(["labels"] if "labels" not in example and type(teach) is Causal else [])}
        made_ones.append({name: value[0].tolist() for name, value in drawn.items() if name not in left_to_layout})
    return made_ones


def loss(case, batching, tokens=64):
    """The loss of all examples as a step computes it, without dropout, and what it is over."""
    model, teach = case.model(), case.task.teach
    model.network.zero_grad()
    total = items = 0.0
    layout = Layout(batching, None if teach.whole_step else tokens, 0)
    for micro in layout(examples(case))["micro"]:
        with layout.within(model.network):
            one = teach.loss(model.network, micro)
        assert one.dim() == 0 and one.isfinite()
        one.backward()
        total += one.item()
        items += teach.items(micro)
    gradients = [p.grad.flatten() for p in model.network.parameters() if p.grad is not None]
    return total, items, torch.cat(gradients)


@taught
class TestTeach:
    def test_examples_are_made_lazily_and_a_corpus_gives_them_back(self, case):
        teach, model = case.task.teach, case.model()
        assert {*teach.columns, *teach.optional} <= {*case.task.columns, "text", "tokens", "question", "context"}
        made_ones = teach(model, case.rows())
        assert iter(made_ones) is made_ones
        made_ones = list(made_ones)
        corpus = Corpus(iter(made_ones))
        assert len(corpus) == len(made_ones) > 0
        assert [corpus[at] for at in range(len(corpus))] == made_ones
        assert all("aside" not in one for one in made_ones)

    def test_examples_fit_the_context(self, case):
        for example in case.task.teach(case.model(), case.rows()):
            texts = example["input_ids"] if isinstance(example["input_ids"][0], list) else [example["input_ids"]]
            assert all(0 < len(text) <= made.CONTEXT for text in texts)

    def test_the_loss_is_a_number_with_a_gradient_over_more_than_nothing(self, case):
        total, items, gradient = loss(case, "padded")
        assert total > 0 and items > 0 and gradient.isfinite().all() and gradient.abs().max() > 0

    def test_loss_and_gradient_do_not_depend_on_the_layout(self, case):
        total, items, gradient = loss(case, "padded")
        for batching in ("length", "packed"):
            found, over, slope = loss(case, batching)
            assert over == pytest.approx(items)
            assert found == pytest.approx(total, rel=1e-5)
            assert (slope - gradient).abs().max() <= 1e-4 * gradient.abs().max()
