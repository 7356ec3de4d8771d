import gzip
import json

import pytest

from runner.config import DataConfig
from runner.data import Columns, open_split
from runner.errors import DataError

POEMS = ["春眠不觉晓", "处处闻啼鸟", "夜来风雨声"]


def written(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def opened(path, needed=("text",), **options):
    return open_split(DataConfig(path=str(path), **options), "rows", Columns(tuple(needed)))


def refusal(path, needed=("text",), **options):
    with pytest.raises(DataError) as caught:
        opened(path, needed, **options)
    return str(caught.value)


def texts(split):
    return [row["text"] for row in split]


def jsonl_of(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def as_parquet(path, table):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    write_table(pyarrow.table(table), path)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "\n".join(POEMS)),
        ("a.jsonl", jsonl_of({"text": p} for p in POEMS)),
        ("a.json", json.dumps([{"text": p} for p in POEMS], indent=2)),
        ("b.json", json.dumps({"version": [1], "data": [{"text": p} for p in POEMS]})),
        ("c.json", jsonl_of({"text": p} for p in POEMS)),
        ("a.csv", "id,text\n" + "".join(f"{i},{p}\n" for i, p in enumerate(POEMS))),
        ("a.tsv", "id\ttext\n" + "".join(f"{i}\t{p}\n" for i, p in enumerate(POEMS))),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_every_text_format_gives_the_same_rows_plain_and_gzipped(tmp_path, name, content, zipped):
    path = written(tmp_path / name, content)
    if zipped:
        path = written(tmp_path / f"{name}.gz", gzip.compress(content.encode()))
    split = opened(path)
    assert texts(split) == POEMS
    assert (split.name, split.count, split.rejected) == (path.name, 3, 0)


def test_parquet_gives_rows_with_their_number(tmp_path):
    split = opened(as_parquet(tmp_path / "a.parquet", {"id": [1, 2, 3], "text": POEMS}))
    assert list(split)[2] == {"row": 2, "place": "a.parquet:3", "text": POEMS[2], "others": {"id": 3}}


def test_a_row_holds_its_index_its_place_the_mapped_columns_and_the_others(tmp_path):
    path = written(tmp_path / "a.jsonl", '{"q": "why", "label": 1, "other": 0}\n\n{"q": "how", "label": 0}\n')
    split = opened(path, ["text", "label"], columns={"text": "q"})
    assert list(split) == [
        {"row": 0, "place": "a.jsonl:1", "text": "why", "label": 1, "others": {"other": 0}},
        {"row": 1, "place": "a.jsonl:3", "text": "how", "label": 0},
    ]


def test_a_mapped_column_that_is_not_needed_may_be_null(tmp_path):
    path = written(tmp_path / "a.jsonl", '{"text": "a", "label": null}\n')
    split = open_split(DataConfig(path=str(path), columns={"target": "label"}), "rows", Columns(("text",)))
    assert list(split) == [{"row": 0, "place": "a.jsonl:1", "text": "a", "target": None}]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
@pytest.mark.parametrize("word", ["NA", "null", "None", "nan", "1", "true"])
def test_words_that_other_libraries_take_for_missing_stay_text(tmp_path, name, word):
    comma = "," if name == "a.csv" else "\t"
    assert texts(opened(written(tmp_path / name, f"id{comma}text\n1{comma}{word}\n"))) == [word]


def test_a_csv_cell_may_hold_commas_quotes_and_line_ends(tmp_path):
    path = written(tmp_path / "a.csv", 'text,id\r\n"one, ""two""\nthree",1\r\nfour,2\r\n')
    assert [(row["place"], row["text"]) for row in opened(path)] == [
        ("a.csv:2", 'one, "two"\nthree'),
        ("a.csv:4", "four"),
    ]


@pytest.mark.parametrize(
    ("cell", "text"),
    [('"whole"', "whole"), ('"he said ""no"""', 'he said "no"'), ('"no" he said', '"no" he said'), ('"', '"')],
)
def test_a_tsv_cell_loses_quotes_only_when_it_is_quoted_as_a_whole(tmp_path, cell, text):
    assert texts(opened(written(tmp_path / "a.tsv", f"text\tid\n{cell}\t1\n"))) == [text]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "one\r\n\r\ntwo\r\n"),
        ("a.jsonl", '{"text": "one"}\r\n\r\n{"text": "two"}\r\n'),
        ("a.csv", "text,id\r\none,1\r\ntwo,2\r\n"),
        ("a.tsv", "text\tid\r\none\t1\r\ntwo\t2\r\n"),
        ("a.json", '[{"text": "one"},\r\n {"text": "two"}]\r\n'),
    ],
)
def test_windows_line_ends_and_a_utf8_mark_leave_no_trace(tmp_path, name, content):
    assert texts(opened(written(tmp_path / name, b"\xef\xbb\xbf" + content.encode()))) == ["one", "two"]


def test_blank_lines_of_a_txt_file_separate_rows_and_keep_their_numbers(tmp_path):
    split = opened(written(tmp_path / "a.txt", "\n\none\n  \n\u3000\n two \n"))
    assert [(row["place"], row["text"]) for row in split] == [("a.txt:3", "one"), ("a.txt:6", " two ")]
    assert split.rejected == 0


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.json", "a.csv", "a.tsv"])
def test_a_text_of_a_million_characters_is_a_fine_row(tmp_path, name):
    text = "长" * 1_000_000
    content = {"a.txt": text, "a.jsonl": json.dumps({"text": text}), "a.json": json.dumps([{"text": text}])}
    split = opened(written(tmp_path / name, content.get(name, f"text\n{text}\n")))
    assert texts(split) == [text]


def test_line_separators_of_unicode_do_not_end_a_line(tmp_path):
    text = "a\u2028b\x85c\x0bd"
    assert texts(opened(written(tmp_path / "a.jsonl", json.dumps({"text": text}, ensure_ascii=False)))) == [text]


def test_prompts_are_rows_and_known_by_a_digest():
    split = open_split(DataConfig(prompts=["春", "空山"]), "rows", Columns(("text",)))
    assert list(split)[1] == {"row": 1, "place": "data.prompts:2", "text": "空山"}
    # printf '["\\u6625", "\\u7a7a\\u5c71"]' | sha256sum
    assert split.files == {"inline": "f23a458afac3e1318fda5258fcd6423c590271708657fc67daed7547615cc26c"}


def test_the_digest_of_a_file_is_its_sha256(tmp_path):
    path = written(tmp_path / "a.txt", "abc\n")
    # printf 'abc\n' | sha256sum
    assert opened(path).files == {"a.txt": "edeaaff3f1774ad2888673770c6d64097e391bc362d7d6fb34982ddf0efd18cb"}


def test_iterating_twice_gives_the_same_rows(tmp_path):
    split = opened(written(tmp_path / "a.txt", "a\nb\nc\n"))
    assert list(split) == list(split)


def test_columns_that_are_not_mapped_stay_with_their_row(tmp_path):
    path = written(tmp_path / "a.csv", "id,poem,row\n7,a,x\n8,b,y\n")
    split = opened(path, columns={"text": "poem"})
    assert [(row["text"], row["others"]) for row in split] == [
        ("a", {"id": "7", "row": "x"}),
        ("b", {"id": "8", "row": "y"}),
    ]


def test_limit_cuts_the_rows_and_what_lies_behind_is_not_checked(tmp_path):
    path = written(tmp_path / "a.jsonl", '{"text": "a"}\n{"text": "b"}\n{"text": null}\n')
    split = opened(path, limit=2)
    assert (split.count, split.rejected, texts(split)) == (2, 0, ["a", "b"])


def test_a_file_that_grows_after_the_check_is_refused(tmp_path):
    path = written(tmp_path / "a.txt", "a\n")
    split = opened(path)
    written(path, "a\nb\n")
    with pytest.raises(DataError, match=r"^a.txt has changed since it was checked: run again$"):
        list(split)
    path.unlink()
    with pytest.raises(DataError, match=r"a\.txt cannot be read: No such file or directory$"):
        list(split)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.jsonl", ""), ("a.txt", "\n \n"), ("a.csv", ""), ("a.csv", "text\n"), ("a.json", ""), ("a.json", "[]")],
)
def test_an_empty_file_holds_no_rows(tmp_path, name, content):
    assert refusal(written(tmp_path / name, content)) == f"{name} holds no rows"


def test_an_empty_parquet_file_holds_no_rows(tmp_path):
    assert refusal(as_parquet(tmp_path / "a.parquet", {"text": []})) == "a.parquet holds no rows"


@pytest.mark.parametrize(("encoding", "told"), [("utf-16", "UTF-16"), ("utf-32", "UTF-32")])
def test_other_unicode_encodings_are_told_with_the_remedy(tmp_path, encoding, told):
    path = written(tmp_path / "a.jsonl", '{"text": "a"}\n'.encode(encoding))
    assert refusal(path) == f"{path} is {told}, not UTF-8: iconv -f {told} -t UTF-8 a.jsonl > utf8-a.jsonl"


def test_nul_bytes_are_told_as_no_text(tmp_path):
    path = written(tmp_path / "a.jsonl", '{"text": "a"}\n'.encode("utf-16-le"))
    assert refusal(path).startswith("a.jsonl:1: holds a NUL byte: ")
    assert refusal(path).endswith("is not UTF-8 text (UTF-16 without its mark, or binary)")


def test_damaged_compression_is_told(tmp_path):
    path = written(tmp_path / "a.txt.gz", gzip.compress(b"some text\n" * 1000)[:-20])
    assert refusal(path).startswith(f"{path} is cut off or damaged: ")
    assert refusal(written(tmp_path / "b.txt.gz", "no gzip")).endswith(
        "is cut off or damaged: Not a gzipped file (b'no')"
    )


def test_a_damaged_parquet_file_is_told(tmp_path):
    path = written(tmp_path / "a.parquet", "PAR1 but not really")
    assert refusal(path).startswith(f"{path} is no whole parquet file: ")


@pytest.mark.parametrize("name", ["a.pkl", "a.docx", "a", "a.parquet.gz"])
def test_an_unknown_format_is_refused_and_never_read(tmp_path, name):
    path = written(tmp_path / name, b"\x80\x04cos\nsystem\n")
    assert (
        refusal(path) == f"{path} has a format that is not read here; "
        "known: .txt, .jsonl, .json, .csv, .tsv, .parquet, .conll, .bio, .iob"
    )
