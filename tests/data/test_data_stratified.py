"""A validation split made here gives each class its share."""

import hashlib
import json
import subprocess
import sys
from collections import Counter

import pytest

from runner.config import DataConfig
from runner.data import Columns, open_split
from runner.errors import DataError

STRATIFIED = Columns(("text",), ("label",), stratify="label")


def written(path, values):
    path.write_text("".join(json.dumps({"text": f"t{i}", "label": v}) + "\n" for i, v in enumerate(values)))
    return path


def opened(path, which, columns=STRATIFIED, **options):
    return open_split(DataConfig(path=str(path), **options), which, columns)


def counts(path, which, **options):
    return Counter(row.get("label") for row in opened(path, which, **options))


def places(path, which, columns=STRATIFIED, **options):
    return [row["place"] for row in opened(path, which, columns, **options)]


def test_each_class_gives_its_share_however_rare_it_is(tmp_path):
    path = written(tmp_path / "a.jsonl", ["common"] * 900 + ["rare"] * 100)
    assert counts(path, "validation", validation_share=0.1) == {"common": 90, "rare": 10}
    assert counts(path, "train", validation_share=0.1) == {"common": 810, "rare": 90}


def test_a_class_of_two_rows_has_one_in_each_split_and_a_single_row_is_trained_on(tmp_path):
    path = written(tmp_path / "a.jsonl", [0, 1, 1, 0, 2])
    assert counts(path, "validation") == {0: 1, 1: 1}
    assert counts(path, "train") == {0: 1, 1: 1, 2: 1}


def test_one_row_of_each_block_of_a_class_is_chosen_by_a_hash_of_label_and_block(tmp_path):
    path = written(tmp_path / "a.jsonl", ["x", "y"] * 50)  # row 2 k of x is its k-th, row 2 k + 1 of y
    chosen = set()
    for at, label in enumerate("xy"):
        for block in range(10):  # of five rows: a share of 0.2
            digest = hashlib.blake2b(f"{label} {block}".encode(), digest_size=8).hexdigest()
            row = 5 * block + int(digest, 16) % 5 if block else 1
            chosen.add(f"a.jsonl:{2 * row + at + 1}")
    assert set(places(path, "validation", validation_share=0.2)) == chosen
    assert len(chosen) == 20
    assert not chosen & set(places(path, "train", validation_share=0.2))


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 1 / 3, 0.7, 0.99])
def test_the_share_is_kept_to_within_a_row_and_the_rest_is_trained_on(tmp_path, share):
    path = written(tmp_path / "a.jsonl", ["x"] * 101)
    held_out = opened(path, "validation", validation_share=share).count
    assert abs(held_out - 101 * share) <= 1
    assert opened(path, "train", validation_share=share).count == 101 - held_out


def test_a_longer_file_keeps_what_a_shorter_one_held_out(tmp_path):
    short, long = written(tmp_path / "a.jsonl", "xyzx" * 30), written(tmp_path / "b.jsonl", "xyzx" * 60)
    held_out = [place.partition(":")[2] for place in places(short, "validation", validation_share=0.1)]
    assert [p.partition(":")[2] for p in places(long, "validation", validation_share=0.1)][: len(held_out)] == held_out


def test_every_process_holds_out_the_same_rows(tmp_path):
    path = written(tmp_path / "a.jsonl", "xyzx" * 30)
    script = (
        "import sys; from runner.config import DataConfig; from runner.data import Columns, open_split\n"
        "columns = Columns(('text',), ('label',), stratify='label')\n"
        "split = open_split(DataConfig(path=sys.argv[1], validation_share=0.1), 'validation', columns)\n"
        "print(*(row['place'] for row in split))"
    )
    command = [sys.executable, "-c", script, str(path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}).stdout
    assert told.split() == places(path, "validation", validation_share=0.1)


@pytest.mark.parametrize("values", [[0.5] * 100, ["0.5"] * 100, [["O", "B-X"]] * 100, [None] * 100])
def test_numbers_tags_and_missing_labels_are_held_out_by_the_index_alone(tmp_path, values):
    path = written(tmp_path / "a.jsonl", values)
    by_index = places(path, "validation", Columns(("text",)), validation_share=0.2)
    assert places(path, "validation", validation_share=0.2) == by_index


def test_a_number_is_the_same_class_in_every_spelling_of_a_whole_number(tmp_path):
    path = written(tmp_path / "a.jsonl", [3.0, 3, 3.0, 3])
    assert places(path, "validation") == ["a.jsonl:2"]


def test_labels_may_go_by_another_name_and_the_row_keeps_them(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,class\n" + "a,x\n" * 10 + "b,y\n" * 10)
    columns = Columns(("text",), aliases={"label": ("class",)}, stratify="label")
    assert places(path, "validation", columns, validation_share=0.1) == ["a.csv:3", "a.csv:13"]
    assert next(iter(opened(path, "rows", columns)))["label"] == "x"


def test_classes_of_a_single_row_each_leave_nothing_to_validate(tmp_path):
    path = written(tmp_path / "a.jsonl", "xyz")
    with pytest.raises(DataError) as caught:
        opened(path, "validation")
    assert str(caught.value) == ("2 % of a.jsonl holds no rows: no class has two, so give data.validation_split=<name>")
