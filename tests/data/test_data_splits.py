import hashlib
import os
from pathlib import Path

import pytest

from runner.config import DataConfig
from runner.data import Columns, asset, open_split
from runner.errors import DataError


def folder(path, *names, rows=3):
    path.mkdir(exist_ok=True)
    for name in names:
        (path / name).write_text("".join(f"{name} {i}\n" for i in range(rows)))
    return path


def opened(path, which="rows", **options):
    return open_split(DataConfig(path=str(path), **options), which, Columns(("text",)))


def refusal(path, which="rows", **options):
    with pytest.raises(DataError) as caught:
        opened(path, which, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["train.txt", "valid.txt", "test.txt"], "test"),
        (["train.txt", "valid.txt"], "valid"),
        (["train.txt", "dev.txt"], "dev"),
        (["train.txt", "validation.txt", "notes.md"], "validation"),
        (["train.txt", "extra.txt"], "train"),
        (["corpus.txt", "LICENSE.txt", "README.txt"], "corpus"),
    ],
)
def test_rows_come_from_test_else_validation_else_train_else_the_only_file(tmp_path, names, chosen):
    split = opened(folder(tmp_path / "poems", *names))
    assert split.name == f"poems/{chosen}"
    assert next(iter(split))["text"] == f"{chosen}.txt 0"


def test_a_split_can_be_named(tmp_path):
    path = folder(tmp_path / "poems", "train.txt", "test.txt", "test_hard.txt")
    assert opened(path, split="test_hard").name == "poems/test_hard"
    assert refusal(path, split="tset") == "data.split=tset: poems has no such split; known: test, test_hard, train"
    assert refusal(path, "train", train_split="all") == (
        "data.train_split=all: poems has no such split; known: test, test_hard, train"
    )
    assert refusal(path, "validation", validation_split="dev") == (
        "data.validation_split=dev: poems has no such split; known: test, test_hard, train"
    )


def test_a_folder_whose_splits_say_nothing_asks_for_one(tmp_path):
    path = folder(tmp_path / "poems", "a.txt", "b.txt")
    assert refusal(path) == "poems has the splits a, b: choose with data.split=<name>"


def test_one_file_has_no_splits(tmp_path):
    folder(tmp_path, "corpus.txt")
    told = "data.split=test: corpus.txt is one file without splits: leave data.split out"
    assert refusal(tmp_path / "corpus.txt", split="test") == told


def test_a_test_split_alone_is_never_trained_on(tmp_path):
    told = "data.train_split=train: poems has no such split; known: test"
    assert refusal(folder(tmp_path / "poems", "test.txt"), "train") == told


def test_numbered_parts_of_a_split_are_read_in_order(tmp_path):
    path = folder(tmp_path / "poems", "train-00001-of-00002.txt", "train-00000-of-00002.txt", "test.txt", rows=1)
    split = opened(path, split="train")
    assert [row["text"][:11] for row in split] == ["train-00000", "train-00001"]
    assert [Path(name).name for name in split.files] == ["train-00000-of-00002.txt", "train-00001-of-00002.txt"]


def test_two_files_for_one_split_are_refused(tmp_path):
    path = folder(tmp_path / "poems", "train.txt", "train.csv")
    assert refusal(path) == f"{path} holds train.csv and train.txt for train: give one as data.path"


def test_a_folder_without_data_is_refused(tmp_path):
    path = folder(tmp_path / "poems", "notes.md")
    assert (
        refusal(path)
        == f"{path} holds no data files; known formats: .txt, .jsonl, .json, .csv, .tsv, .parquet, .conll, .bio, .iob"
    )


def test_a_validation_file_is_used_and_nothing_is_held_out(tmp_path):
    path = folder(tmp_path / "poems", "train.txt", "dev.txt")
    assert (opened(path, "validation").name, opened(path, "validation").count) == ("poems/dev", 3)
    assert (opened(path, "train").name, opened(path, "train").count) == ("poems/train", 3)


def test_a_validation_file_needs_no_train_file_beside_it(tmp_path):
    path = folder(tmp_path / "poems", "valid.txt", "test.txt")
    assert opened(path, "validation").name == "poems/valid"


def test_without_a_validation_split_a_share_of_train_is_held_out_and_not_trained_on(tmp_path):
    folder(tmp_path, "corpus.txt", rows=2000)
    train = opened(tmp_path / "corpus.txt", "train", validation_share=0.1)
    validation = opened(tmp_path / "corpus.txt", "validation", validation_share=0.1)
    trained, held_out = ({row["place"] for row in split} for split in (train, validation))
    assert (train.name, validation.name) == ("corpus.txt (10 % held out)", "10 % of corpus.txt")
    assert not trained & held_out
    assert train.count + validation.count == len(trained | held_out) == 2000
    assert 160 <= validation.count <= 240  # 200 expected, standard deviation 13.4: three of them
    assert [row["row"] for row in train] == list(range(train.count))


def test_what_is_held_out_follows_the_hash_of_the_row_index(tmp_path):
    folder(tmp_path, "corpus.txt", rows=100)
    share = 0.2
    by_hand = [
        i
        for i in range(100)
        if i == 0 or int(hashlib.blake2b(str(i).encode(), digest_size=8).hexdigest(), 16) / 2**64 < share
    ]
    rows = opened(tmp_path / "corpus.txt", "validation", validation_share=share)
    assert [row["place"] for row in rows] == [f"corpus.txt:{i + 1}" for i in by_hand]


def test_a_longer_file_keeps_what_a_shorter_one_held_out(tmp_path):
    folder(tmp_path / "a", "corpus.txt", rows=100)
    folder(tmp_path / "b", "corpus.txt", rows=200)
    short, long = (
        [row["text"] for row in opened(tmp_path / name / "corpus.txt", "validation", validation_share=0.1)]
        for name in "ab"
    )
    assert long[: len(short)] == short


def test_no_file_is_too_short_to_have_a_validation_row_but_one_row_cannot_train(tmp_path):
    folder(tmp_path, "two.txt", rows=2)
    assert opened(tmp_path / "two.txt", "validation").count == opened(tmp_path / "two.txt", "train").count == 1
    folder(tmp_path, "one.txt", rows=1)
    assert refusal(tmp_path / "one.txt", "train") == "one.txt (2 % held out) holds no rows beside the one held out"


def test_bad_rows_count_with_train_when_a_share_is_held_out(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a"}\n{"text": null}\n' * 50)
    train, validation = (opened(path, which, on_bad_row="skip") for which in ("train", "validation"))
    assert train.count + validation.count == train.rejected == 50
    assert (validation.rejected, list(validation.bad())) == (0, [])


@pytest.mark.parametrize("which", ["train", "validation"])
def test_a_held_out_share_tells_missing_columns_and_bad_rows_as_any_split_does(tmp_path, which):
    path = tmp_path / "a.jsonl"
    path.write_text('{"question": "a"}\n')
    told = "needs column 'text'; a.jsonl has question: map it with data.columns.text=<name>"
    assert refusal(path, which) == told
    path.write_text('{"text": "a"}\n{"text": null}\n{"text": "b"}\n')
    assert refusal(path, which).startswith("a.jsonl:2: text is null\n")


def test_limit_cuts_rows_and_train_but_not_a_validation_split(tmp_path):
    path = folder(tmp_path / "poems", "train.txt", "valid.txt", "test.txt", rows=500)
    counts = [opened(path, which, limit=5).count for which in ("rows", "train", "validation")]
    assert counts == [5, 5, 500]


def test_limit_cuts_a_source_before_a_share_of_it_is_held_out(tmp_path):
    folder(tmp_path, "corpus.txt", rows=500)
    splits = [opened(tmp_path / "corpus.txt", which, limit=100) for which in ("train", "validation")]
    assert sum(split.count for split in splits) == 100
    assert {row["text"] for split in splits for row in split} == {f"corpus.txt {i}" for i in range(100)}


def test_a_missing_file_is_told_with_the_nearest_names(tmp_path):
    folder(tmp_path / "poems", "train.jsonl", "test.jsonl")
    assert refusal(tmp_path / "poems" / "trian.jsonl") == (
        f"{tmp_path}/poems/trian.jsonl does not exist; in {tmp_path}/poems: nearest: train.jsonl"
    )
    assert refusal(tmp_path / "peoms" / "train.jsonl") == (
        f"{tmp_path}/peoms/train.jsonl does not exist; in {tmp_path}: nearest: poems"
    )
    (tmp_path / "empty").mkdir()
    assert (
        refusal(tmp_path / "empty" / "a.txt") == f"{tmp_path}/empty/a.txt does not exist; in {tmp_path}/empty: nothing"
    )


def test_a_missing_file_beside_a_folder_here_is_not_looked_for_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder(tmp_path / "poems", "train.txt")
    assert refusal("poems/train") == f"poems/train does not exist; in {tmp_path}/poems: nearest: train.txt"
    assert refusal("poemz.jsonl") == f"poemz.jsonl does not exist; in {tmp_path}: nearest: poems"


def test_a_file_that_may_not_be_read_is_told(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("a\n")

    def refuse(self, mode="r"):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)  # the tests may run as root, who may read everything
    assert refusal(path) == f"{path} cannot be read: Permission denied"


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "a.txt")
    told = f"{tmp_path}/a.txt is neither a file nor a folder: it is read more than once, so write it to a file"
    assert refusal(tmp_path / "a.txt") == told


def test_a_folder_named_like_a_file_is_a_folder(tmp_path):
    assert opened(folder(tmp_path / "poems.jsonl", "test.txt")).name == "poems.jsonl/test"


def test_the_embedded_poems_are_what_their_card_says():
    card = (asset("poems_small") / "README.md").read_text()
    for which, count in [("train", 12319), ("validation", 500), ("rows", 500)]:
        split = opened("asset:poems_small", which)
        assert (split.count, split.rejected) == (count, 0)
        assert all(digest in card for digest in split.files.values())
    assert split.name == "poems_small/test"
    assert "MIT" in (asset("poems_small") / "LICENSE.chinese-poetry").read_text()


def test_the_embedded_prompts_are_four_openings():
    assert [row["text"] for row in opened("asset:prompts.txt")] == ["明月几时有", "梅山如积翠，", "春", "空山"]


@pytest.mark.parametrize("name", ["poems_smal", "../assets", "/etc", "", ".."])
def test_an_unknown_asset_is_told_and_none_lies_outside_the_package(name):
    with pytest.raises(DataError) as caught:
        asset(name)
    assert str(caught.value).startswith(f"asset:{name} is not among the embedded data; ")
    assert "poems_small" in str(caught.value)
