import random
import warnings

import pytest
from seqeval import metrics as reference

from runner.errors import DataError
from runner.metrics.entities import Entities, chunks


def summary(golds, guesses):
    metric = Entities()
    return metric.summarise(
        [metric.score({"tags": gold}, {"tags": guess}) for gold, guess in zip(golds, guesses, strict=True)]
    )


def sentences(prefixes, seed):
    """Gold tags and guesses, most of them against every scheme."""
    draw = random.Random(seed)
    tags = ["O", "O"] + [f"{prefix}-{kind}" for prefix in prefixes for kind in ("PER", "LOC", "ART-WORK")]
    golds = [[draw.choice(tags) for _ in range(draw.randint(1, 12))] for _ in range(200)]
    return golds, [[tag if draw.random() < 0.7 else draw.choice(tags) for tag in gold] for gold in golds]


@pytest.mark.parametrize("prefixes", ["BI", "BIES", "I"])
def test_numbers_are_those_of_seqeval_however_odd_the_tags(prefixes):
    golds, guesses = sentences(prefixes, seed=len(prefixes))
    found = {name: estimate.value for name, estimate in summary(golds, guesses).items()}
    report = reference.classification_report(golds, guesses, output_dict=True)
    expected = {f"f1_{kind}": report[kind]["f1-score"] for kind in ("PER", "LOC", "ART-WORK")} | {
        "f1": reference.f1_score(golds, guesses),
        "precision": reference.precision_score(golds, guesses),
        "recall": reference.recall_score(golds, guesses),
        "token_accuracy": reference.accuracy_score(golds, guesses),
    }
    assert found == pytest.approx(expected)


def test_bilou_is_bioes_under_other_letters():
    golds, guesses = sentences("BIES", seed=9)
    renamed = [
        [[tag.replace("E-", "L-").replace("S-", "U-") for tag in one] for one in side] for side in (golds, guesses)
    ]
    assert summary(*renamed) == summary(golds, guesses)


def test_tags_without_types_and_types_without_prefixes():
    assert list(chunks(["B", "I", "O", "B"])) == [("_", 0, 1), ("_", 3, 3)]
    assert list(chunks(["PER", "PER", "O", "LOC"])) == [("PER", 0, 1), ("LOC", 3, 3)]


def test_baselines_are_those_of_finding_nothing():
    gold = [["B-PER", "I-PER", "O", "O"], ["O", "O", "B-LOC", "O"]]
    found = summary(gold, [["O"] * 4, ["O"] * 4])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert found["precision"].value == reference.precision_score(gold, [["O"] * 4] * 2) == 0
    assert found["f1"].value == found["f1"].baselines["majority"] == 0
    assert found["token_accuracy"].value == found["token_accuracy"].baselines["majority"] == 5 / 8
    assert (found["precision"].low, found["precision"].high) == (0.0, 1.0)  # of nothing predicted, nothing is known
    assert found["f1"].passed == "entities_correct"


def test_all_found_still_has_an_interval():
    gold = [["B-PER", "O"]] * 10
    assert summary(gold, gold)["f1"].low == pytest.approx(0.7225, abs=1e-3)  # Wilson 1927: 10 of 10


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (["O"], "^a:1: there must be a tag for each of the 2 tokens, got 1$"),
        ([0, 1], r"^a:1: tags must be a list of texts such as B-PER, got \[0, 1\]: give their names$"),
    ],
)
def test_tags_that_do_not_fit_the_tokens_are_refused(tags, message):
    with pytest.raises(DataError, match=message):
        Entities().score({"place": "a:1", "tags": tags}, {"tags": ["O", "O"]})


def test_rows_without_tags_are_not_scored():
    assert Entities().score({"text": "x"}, {"tags": []}) == {} == Entities().summarise([{}])
