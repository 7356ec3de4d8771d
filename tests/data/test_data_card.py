import json

import pytest

from runner.config import DataConfig
from runner.data import Columns, labels, open_split
from runner.data.card import card, card_lines
from runner.data.measure import quantiles
from runner.errors import DataError

LABELLED = Columns(("text",), ("label",))


def written(path, rows):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def opened(path, columns=LABELLED, which="rows", **options):
    return open_split(DataConfig(path=str(path), **options), which, columns)


def folder(path, **splits):
    for name, rows in splits.items():
        written(path / f"{name}.jsonl", rows)
    return {which: opened(path, which=which) for which in ("rows", "train", "validation")}


def rows(*texts, label=0):
    return [{"text": text, "label": label} for text in texts]


def of_labels(tmp_path, *values):
    path = written(tmp_path / "a.jsonl", [{"text": f"row {at}", "label": value} for at, value in enumerate(values)])
    return card({"rows": opened(path)}, ["text"], "label")["splits"]["a.jsonl"]["target"]


def test_the_splits_go_by_the_names_that_people_know(tmp_path):
    splits = folder(tmp_path / "sst", train=rows("a b", "c d", label=1), validation=rows("e"), test=rows("f"))
    found = card(splits, ["text"], "label")
    assert found["source"] == "sst/"
    assert {name: split["rows"] for name, split in found["splits"].items()} == {"train": 2, "validation": 1, "test": 1}
    assert json.loads(json.dumps(found)) == found


def test_lengths_are_quantiles_of_nearest_rank_in_characters_and_words(tmp_path):
    path = written(tmp_path / "a.jsonl", rows("a", "bb cc", "d ee fff"))  # 1, 5, 8 characters; 1, 2, 3 words
    (split,) = card({"rows": opened(path)}, ["text"], None)["splits"].values()
    assert split["lengths"] == {
        "text": {
            "characters": {"p5": 1, "p50": 5, "p95": 8, "max": 8},
            "words": {"p5": 1, "p50": 2, "p95": 3, "max": 3},
        }
    }
    assert quantiles(range(1, 101)) == {"p5": 5, "p50": 50, "p95": 95, "max": 100}


def test_texts_without_spaces_have_no_words_and_lists_are_texts_side_by_side(tmp_path):
    path = written(tmp_path / "a.jsonl", [{"text": "春眠不觉晓", "tokens": ["ab", "c", "d"]}] * 2)
    (split,) = card({"rows": opened(path, Columns(("text", "tokens")))}, ["text", "tokens"], None)["splits"].values()
    five = {"p5": 5, "p50": 5, "p95": 5, "max": 5}
    assert split["lengths"]["text"] == {"characters": five}
    assert split["lengths"]["tokens"]["characters"] == dict.fromkeys(five, 6)  # "ab c d"
    assert split["lengths"]["tokens"]["words"] == dict.fromkeys(five, 3)


def test_repeated_rows_and_rows_that_lack_a_text_are_counted(tmp_path):
    pairs = [{"text": "a", "text_pair": "b"}, {"text": "a", "text_pair": "b"}, {"text": "a"}, {"text": "a b"}]
    path = written(tmp_path / "a.jsonl", pairs)
    columns = Columns(("text",), ("text_pair",))
    (split,) = card({"rows": opened(path, columns)}, ["text", "text_pair"], None)["splits"].values()
    assert (split["looked_at"], split["duplicates"], split["empty"]) == (4, 1, 2)


def test_labels_are_classes_with_counts_shares_and_imbalance(tmp_path):
    assert of_labels(tmp_path, 10, 9, 9, 9, None) == {
        "missing": 1,
        "classes": {"9": {"count": 3, "share": 0.75}, "10": {"count": 1, "share": 0.25}},
        "imbalance": 3.0,
    }
    assert list(of_labels(tmp_path, "pos", "neg", "pos")["classes"]) == ["neg", "pos"]
    assert of_labels(tmp_path, True, False, True)["imbalance"] == 2.0


def test_tags_are_counted_without_those_outside_of_entities(tmp_path):
    assert of_labels(tmp_path, ["O", "B-X", "I-X"], ["O"], ["B-X"])["classes"] == {
        "B-X": {"count": 2, "share": 0.6667},
        "I-X": {"count": 1, "share": 0.3333},
    }


@pytest.mark.parametrize("values", [(0, 2.5, 5), ("0", "2.5", "5")])
def test_numbers_with_a_fraction_are_told_by_their_range(tmp_path, values):
    assert of_labels(tmp_path, *values) == {"missing": 0, "numbers": {"min": 0.0, "mean": 2.5, "max": 5.0}}


def test_answers_are_counted_and_texts_are_no_labels(tmp_path):
    none = {"text": [], "answer_start": []}
    assert of_labels(tmp_path, {"text": ["a"], "answer_start": [0]}, none, none) == {
        "missing": 0,
        "answered": 1,
        "without_answer": 2,
    }
    assert of_labels(tmp_path, "x" * 101, "y") == {"missing": 0}
    assert of_labels(tmp_path, *(f"a summary {i}" for i in range(21))) == {"missing": 0}


def test_tested_rows_that_are_also_trained_on_are_named_on_both_sides(tmp_path):
    splits = folder(
        tmp_path / "d",
        train=rows("one two", "three", "four", "three"),
        validation=rows("five", "four"),
        test=rows("nine", "one  two ", "three", "Three", "five", "four"),
    )
    found = card(splits, ["text"], "label")
    assert found["shared"] == {
        "split": "test",
        "looked_at": 6,
        "count": 4,
        "in": {"train": 3, "validation": 2},
        "places": [
            ["test.jsonl:2", "train.jsonl:1"],
            ["test.jsonl:3", "train.jsonl:2"],
            ["test.jsonl:5", "validation.jsonl:1"],
            ["test.jsonl:6", "train.jsonl:3"],
        ],
    }
    assert card_lines(found) == [
        "d/: 4 train · 2 validation · 6 test · labels 0 (100 %) · characters p50 5, p95 7 · 4 rows shared",
        "4 of 6 rows of test also stand in train and validation: "
        "test.jsonl:2 = train.jsonl:1, test.jsonl:3 = train.jsonl:2, test.jsonl:5 = validation.jsonl:1, ...",
        "repeated rows: 1 of 4 in train",
        "every row of train has the label 0: there is nothing to tell apart",
    ]


def test_only_ten_shared_rows_are_named(tmp_path):
    same = rows(*(f"text {i}" for i in range(12)))
    found = card(folder(tmp_path / "d", train=same, valid=rows("v"), test=same), ["text"], None)
    assert (found["shared"]["count"], len(found["shared"]["places"])) == (12, 10)


def test_a_pair_is_the_same_only_where_both_texts_are(tmp_path):
    columns = Columns(("text", "text_pair"))
    written(tmp_path / "d" / "train.jsonl", [{"text": "a", "text_pair": "b"}, {"text": "ab", "text_pair": "c"}])
    written(tmp_path / "d" / "test.jsonl", [{"text": "a", "text_pair": "c"}, {"text": "a", "text_pair": "bc"}])
    splits = {which: opened(tmp_path / "d", columns, which, validation_share=0.5) for which in ("rows", "train")}
    assert card(splits, ["text", "text_pair"], None)["shared"]["count"] == 0


def test_the_validation_split_that_is_tested_is_not_compared_with_itself(tmp_path):
    path = written(tmp_path / "a.jsonl", rows("a b", "c d", "a b", "e f"))
    splits = {which: opened(path, which=which) for which in ("train", "validation")}
    for tested in (splits["validation"], opened(path, which="validation")):
        found = card({"rows": tested} | splits, ["text"], None)
        assert (found["source"], list(found["splits"])) == ("a.jsonl", ["train", "validation"])
        assert found["shared"]["places"] == [["a.jsonl:1", "a.jsonl:3"]]


def test_only_the_first_rows_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr("runner.data.card.ROWS", 2)
    (split,) = card({"rows": opened(written(tmp_path / "a.jsonl", rows("a", "b", "b")))}, ["text"], None)[
        "splits"
    ].values()
    assert (split["rows"], split["looked_at"], split["duplicates"]) == (3, 2, 0)


def test_many_labels_are_told_by_the_most_and_the_least_frequent(tmp_path):
    values = [row for label, count in zip("abcdefg", (193, 2, 1, 1, 1, 1, 1), strict=True) for row in [label] * count]
    path = written(tmp_path / "a.jsonl", [{"text": f"{i}", "label": v} for i, v in enumerate(values)])
    (line,) = card_lines(card({"rows": opened(path)}, ["text"], "label"))
    assert line == "a.jsonl: 200 rows · 7 labels, most often a (96 %), least c (0.5 %) · characters p50 2, p95 3"


def test_labels_are_counted_as_they_are(tmp_path):
    path = written(tmp_path / "a.jsonl", [{"text": "a", "label": v} for v in ("1", 1, 1.0, "x", None, True)])
    assert labels(opened(path), "label") == {"1": 1, 1: 3, "x": 1}
    path = written(tmp_path / "b.jsonl", [{"text": "a", "label": v} for v in (["O", "B-X"], ["O"])])
    assert labels(opened(path), "label") == {"O": 2, "B-X": 1}


def test_objects_are_no_labels(tmp_path):
    path = written(tmp_path / "a.jsonl", [{"text": "a", "label": {"x": 1}}])
    with pytest.raises(DataError) as caught:
        labels(opened(path), "label")
    assert str(caught.value) == "a.jsonl:1: label is an object, not a label: a text, a number or a list"


def test_columns_of_too_many_different_values_hold_no_labels(tmp_path, monkeypatch):
    monkeypatch.setattr("runner.data.classes.MOST", 2)
    path = written(tmp_path / "a.jsonl", [{"text": "a", "label": i} for i in range(3)])
    with pytest.raises(DataError) as caught:
        labels(opened(path), "label")
    assert str(caught.value) == "a.jsonl: label has more than 2 different values: these are no labels"
