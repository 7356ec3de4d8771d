"""What every Encode, Interpret, Teach and Metric that conf/ names must do; a new YAML brings its tests with it."""

import dataclasses
import pickle
from types import SimpleNamespace

import pytest
import yaml

from runner.build import build
from runner.types import Encode, Estimate, Interpret, Metric, Teach
from runner.usage import config_dir

ODD = [
    "春江花月夜",
    "a",
    "🙂 emoji",
    "tab\tand\nnewline",
    "\u200b\ufeff",
    "[MASK] [SEP]",
    "é" * 50,
    "\x00\x07",
    "  spaces  ",
]
KINDS = {"encode": Encode, "interpret": Interpret, "teach": Teach}


def named(node, where=()):
    """(place, node) of everything that a YAML file names by _target_."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield where, node
        for key, value in node.items():
            yield from named(value, (*where, key))


def collected(kind):
    found = {}
    for path in sorted(config_dir().rglob("*.yaml")):
        for place, node in named(yaml.safe_load(path.read_text())):
            of = Metric if place[-2:-1] == ("metrics",) else KINDS.get(place[-1])
            assert of is not None, f"{path.name}: {'.'.join(place)} has no contract"
            if of is kind:
                found[f"{path.stem}:{'.'.join(place)}"] = node
    return [pytest.param(node, id=name) for name, node in found.items()]


@pytest.fixture(scope="module")
def model(tiny_template):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    network = AutoModelForCausalLM.from_pretrained(tiny_template).eval()
    processor = AutoTokenizer.from_pretrained(tiny_template)
    return SimpleNamespace(network=network, processor=processor, config=network.config, name="tiny", context=64)


def rows():
    return [{"row": index, "place": f"odd:{index + 1}", "text": text} for index, text in enumerate(ODD)]


class Contract:
    """What holds for all of them: built from its YAML, frozen, equal to itself, picklable."""

    kind: type

    def made(self, node):
        return build(node, "contract", self.kind)

    def test_it_is_a_frozen_dataclass_that_survives_pickling(self, node):
        made = self.made(node)
        assert dataclasses.is_dataclass(made) and type(made).__dataclass_params__.frozen
        assert pickle.loads(pickle.dumps(made)) == made
        assert type(made).__doc__ and made.__call__.__doc__ if self.kind is not Metric else made.score.__doc__

    def test_every_option_is_listed_in_the_yaml_or_has_a_default(self, node):
        for field in dataclasses.fields(self.made(node)):
            assert field.name in node or field.default is not dataclasses.MISSING


@pytest.mark.parametrize("node", collected(Encode))
class TestEncode(Contract):
    kind = Encode

    def test_one_list_of_features_for_each_row(self, node, model):
        encoded = self.made(node)(model, rows())
        assert len(encoded) == len(ODD)
        for features in encoded:
            for feature in features:
                assert feature["input_ids"] and all(type(token) is int for token in feature["input_ids"])
                assert len(feature.get("labels", feature["input_ids"])) == len(feature["input_ids"])

    def test_a_row_is_encoded_the_same_alone_and_among_others(self, node, model):
        encode = self.made(node)
        assert [encode(model, [row])[0] for row in rows()] == encode(model, rows())


@pytest.mark.parametrize("node", collected(Interpret))
class TestInterpret(Contract):
    kind = Interpret

    def test_each_row_gets_an_answer_that_json_can_hold(self, node, model):
        import json

        interpret = self.made(node)
        for row in rows():
            ids = model.processor(row["text"])["input_ids"]
            answer = interpret(model, row, [{"input_ids": ids}], self.outputs(interpret, model, ids))
            assert json.loads(json.dumps(answer)) == answer

    def outputs(self, interpret, model, ids):
        """What the network gives: new token ids, or what the interpreter itself takes from a forward pass."""
        import torch

        if not hasattr(interpret, "outputs"):
            return [ids[:3]]
        batch = torch.tensor([ids])
        return interpret.outputs(model, {"input_ids": batch, "labels": batch})


@pytest.mark.parametrize("node", collected(Teach))
class TestTeach(Contract):
    kind = Teach

    def test_every_row_becomes_features_lazily(self, node, model):
        features = self.made(node)(model.processor, iter(rows()))
        assert iter(features) is features
        taught = list(features)
        assert len(taught) == len(ODD)
        for feature in taught:
            assert all(type(token) is int for token in feature["input_ids"])
            assert len(feature.get("labels", feature["input_ids"])) == len(feature["input_ids"])


PREDICTIONS = ["春江花月夜", "", "🙂", ["a", "b"], "x" * 1000,
               {"nll": 2.0, "tokens": 3, "correct": 1, "bytes": 9, "perplexity": 1.9}]  # fmt: skip


@pytest.mark.parametrize("node", collected(Metric))
class TestMetric(Contract):
    kind = Metric

    def scores(self, metric):
        """Of the predictions that are of the metric's kind."""
        for prediction in PREDICTIONS:
            try:
                yield metric.score({"row": 0, "text": "x"}, prediction)
            except TypeError:
                continue

    def test_scores_are_numbers(self, node):
        found = list(self.scores(self.made(node)))
        assert any(found)
        assert all(isinstance(value, int | float) for one in found for value in one.values())

    def test_the_summary_holds_its_value_in_its_interval_and_reads_once(self, node):
        metric = self.made(node)
        one = next(score for score in self.scores(metric) if score)
        for estimate in metric.summarise(iter([one, one, one])).values():
            assert isinstance(estimate, Estimate) and estimate.n == 3
            assert estimate.low - 1e-9 <= estimate.value <= estimate.high + 1e-9

    def test_nothing_to_score_gives_no_number(self, node):
        metric = self.made(node)
        assert dict(metric.summarise([])) == {} and dict(metric.summarise([{}, {}])) == {}
