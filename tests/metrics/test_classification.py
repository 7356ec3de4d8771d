import math

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as reference

from runner.errors import DataError
from runner.metrics.classification import Classification, Regression

NAMES = ["cat", "dog", "eel"]


def predictions(classes, n, seed):
    """Rows with labels and predictions of one class each, some of them tied."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(n, classes)).round(1)
    gold = random.integers(0, classes, n)
    logits[np.arange(n), gold] += 1
    table = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    names = [f"class {at}" for at in range(classes)]
    for label, row in zip(gold, table, strict=True):
        best = int(row.argmax())
        yield (
            {"label": names[label]},
            {"label": names[best], "score": row[best], "probabilities": dict(zip(names, row.tolist(), strict=True))},
        )


def summary(pairs):
    metric = Classification()
    return dict(metric.summarise(metric.score(*pair) for pair in pairs))


@pytest.mark.parametrize("classes", [2, 5])
def test_numbers_are_those_of_scikit_learn(classes):
    pairs = list(predictions(classes, 400, seed=classes))
    found = {name: estimate.value for name, estimate in summary(pairs).items()}
    gold = [int(row["label"].split()[1]) for row, _ in pairs]
    table = np.array([list(prediction["probabilities"].values()) for _, prediction in pairs])
    guess = table.argmax(axis=1)
    ranked = (table[:, 1] if classes == 2 else table).round(6)
    expected = {
        "accuracy": reference.accuracy_score(gold, guess),
        "macro_f1": reference.f1_score(gold, guess, average="macro"),
        "mcc": reference.matthews_corrcoef(gold, guess),
        "auroc": reference.roc_auc_score(gold, ranked, multi_class="ovr", average="macro"),
        "log_loss": reference.log_loss(gold, table),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert found.keys() <= Classification().numbers().keys()


def test_calibration_error_by_hand():
    # Guo et al. 2017, eq. 3: one bin of confidence 0.9 (2 of 3 right), one of 0.6 (right): 3/4 * |2/3 - 0.9| + 0.1
    pairs = [(0.9, "a"), (0.9, "a"), (0.9, "b"), (0.6, "a")]
    rows = [({"label": gold}, {"label": "a", "probabilities": {"a": p, "b": 1 - p}}) for p, gold in pairs]
    assert summary(rows)["ece"].value == pytest.approx(0.75 * (0.9 - 2 / 3) + 0.25 * 0.4)


def test_baselines_by_hand():
    sure = {"label": "cat", "probabilities": {"cat": 0.5, "dog": 0.25, "eel": 0.25}}
    found = summary([({"label": name}, sure) for name in ("cat", "cat", "cat", "dog")])
    assert found["accuracy"].baselines == pytest.approx({"majority": 0.75, "random": 1 / 3})
    prior = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    assert found["log_loss"].baselines == pytest.approx({"majority": prior, "random": math.log(3)})
    # always cat: F1 of cat 2 * 0.75 / 1.75, of dog 0; at random: precision 0.75 and 0.25, recall 1/3, eel 0
    random = (2 * 0.75 / 3 / (0.75 + 1 / 3) + 2 * 0.25 / 3 / (0.25 + 1 / 3)) / 3
    assert found["macro_f1"].baselines == pytest.approx({"majority": 2 * 0.75 / 1.75 / 2, "random": random})
    assert found["macro_f1"].value == pytest.approx(found["macro_f1"].baselines["majority"])
    assert found["mcc"].value == 0.0 and found["accuracy"].passed == "correct"


@pytest.mark.parametrize(
    ("label", "names", "position"),
    [("dog", NAMES, 1), (2, NAMES, 2), ("1", NAMES, 1), (True, NAMES, 1), (1.0, NAMES, 1), ("1", ["1", "0"], 0)],
)
def test_a_label_is_a_name_or_else_a_position(label, names, position):
    prediction = {"label": names[0], "probabilities": dict.fromkeys(names, 1 / len(names))}
    assert Classification().score({"label": label}, prediction)["gold"] == position


def test_a_label_that_the_model_has_not_is_told_with_those_that_it_has():
    prediction = {"label": "cat", "probabilities": dict.fromkeys(NAMES, 1 / 3)}
    with pytest.raises(DataError, match=r"^pets.csv:3: label 'x' is not among the model's: cat, dog, eel$"):
        Classification().score({"place": "pets.csv:3", "label": "x"}, prediction)


@pytest.mark.parametrize("row", [{}, {"label": None}, {"label": -1}])
def test_rows_without_a_label_are_not_scored(row):
    prediction = {"label": "cat", "probabilities": dict.fromkeys(NAMES, 1 / 3)}
    assert Classification().score(row, prediction) == {}
    assert Classification().summarise([{}, {}]) == {} == Regression().summarise([{}])
    assert Regression().score({"label": None}, 1.0) == {}


def test_sets_of_labels_are_scored_as_scikit_learn_does():
    random = np.random.default_rng(3)
    gold = random.random((300, 4)) < 0.4
    table = np.clip(gold * 0.3 + random.random((300, 4)) * 0.7, 0, 1)
    guess = table > 0.5
    names = ["a", "b", "c", "d"]
    pairs = [
        (
            {"label": [names[at] for at in range(4) if labels[at]]},
            {
                "labels": [names[at] for at in range(4) if chosen[at]],
                "probabilities": dict(zip(names, row, strict=True)),
            },
        )
        for labels, row, chosen in zip(gold, table.tolist(), guess, strict=True)
    ]
    found = {name: estimate.value for name, estimate in summary(pairs).items()}
    assert found == pytest.approx(
        {
            "accuracy": reference.accuracy_score(gold, guess),
            "macro_f1": reference.f1_score(gold, guess, average="macro"),
            "micro_f1": reference.f1_score(gold, guess, average="micro"),
            "auroc": reference.roc_auc_score(gold, table, average="macro"),
        },
        abs=1e-6,
    )


@pytest.mark.parametrize(
    ("label", "expected"), [([1, 0, 1], [0, 2]), ([0, 2], [0, 2]), (["eel"], [2]), ([], []), ("dog", [1]), (["1"], [1])]
)
def test_as_many_zeros_and_ones_as_classes_are_an_indicator(label, expected):
    prediction = {"labels": [], "probabilities": dict.fromkeys(NAMES, 0.1)}
    assert Classification().score({"label": label}, prediction)["gold"] == expected


def test_a_perfect_ranking_still_has_an_interval():
    rows = [({"label": at % 2}, {"label": "b", "probabilities": {"a": 1 - at % 2, "b": at % 2}}) for at in range(20)]
    found = summary(rows)["auroc"]
    assert found.value == 1.0 and found.low == pytest.approx(0.7225, abs=1e-3)  # Wilson 1927: 10 of 10


def test_correlations_are_those_of_scipy():
    random = np.random.default_rng(5)
    gold = random.integers(0, 6, 200)
    values = gold + random.normal(size=200).round(1)
    metric = Regression()
    rows = [metric.score({"label": str(label)}, value) for label, value in zip(gold, values.tolist(), strict=True)]
    found = metric.summarise(rows)
    assert found["pearson"].value == pytest.approx(stats.pearsonr(gold, values)[0])
    assert found["spearman"].value == pytest.approx(stats.spearmanr(gold, values)[0])
    assert found["mse"].value == pytest.approx(np.mean((gold - values) ** 2))
    assert found["mse"].baselines == pytest.approx({"mean": gold.var()})


def test_a_number_that_is_none_is_refused():
    with pytest.raises(DataError, match=r"^a:1: label must be a number, got 'good': correct it or leave it out$"):
        Regression().score({"place": "a:1", "label": "good"}, {"value": 1.0})
    assert "pearson" not in Regression().summarise([{"gold": 1.0, "value": 2.0}] * 5)  # of no variation


def test_a_class_is_not_scored_as_a_number_nor_a_number_as_a_class():
    assert Classification().score({"label": 1}, 0.5) == {}
    assert Regression().score({"label": 1}, {"label": "cat", "probabilities": {"cat": 1.0}}) == {}
