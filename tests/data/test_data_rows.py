import json

import pytest

from runner.config import DataConfig
from runner.data import Columns, open_split
from runner.errors import DataError


def written(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def opened(path, needed=("text",), **options):
    return open_split(DataConfig(path=str(path), **options), "rows", Columns(tuple(needed)))


def refusal(path, needed=("text",), **options):
    with pytest.raises(DataError) as caught:
        opened(path, needed, **options)
    return str(caught.value)


GOOD = '{"text": "good"}\n'
BAD_LINES = {
    '{"text": null}': "text is null",
    '{"text": NaN}': "text is NaN",
    '{"text": 5}': "text is the number 5, not text",
    '{"text": 0.5}': "text is the number 0.5, not text",
    '{"text": true}': "text is true, not text",
    '{"text": ["a"]}': "text is a list, not text",
    '{"text": {"a": 1}}': "text is an object, not text",
    '{"text": ""}': "text is empty",
    '{"text": " \\u3000\\n"}': "text holds only spaces",
    '{"label": 1}': "has no column 'text'",
    '["text"]': "is a list, not an object",
    "null": "is null, not an object",
    '"text"': "is text, not an object",
    "17": "is the number 17, not an object",
    '{"text": "tor': "broken JSON: Unterminated string starting at column 10",
    '{"text": "a"': "broken JSON: Expecting ',' delimiter at column 13",
    '{"text": "a"} {"text": "b"}': "broken JSON: Extra data at column 15",
    "text": "broken JSON: Expecting value at column 1",
    '{"text": "a", "text": "b"}': "name 'text' stands twice in one object",
    '{"text": "a", "more": {"x": 1, "x": 1}}': "name 'x' stands twice in one object",
    '{"text": "ab\\ud83d"}': "text holds half of a surrogate pair, \\ud83d, at character 3",
    '{"text": "a", "n": ' + "1" * 5000 + "}": "broken JSON: a number has more than 4300 digits",
    "[" * 100_000: "broken JSON: nested too deeply",
    b'{"text": "caf\xe9"}': "is not UTF-8: byte 0xe9 at position 14",
    b'{"text": "\xed\xa0\xbd"}': "is not UTF-8: byte 0xed at position 11",
}


@pytest.mark.parametrize(("line", "problem"), BAD_LINES.items(), ids=BAD_LINES.values())
def test_a_bad_row_is_told_with_its_file_line_reason_and_remedy(tmp_path, line, problem):
    line = line if isinstance(line, bytes) else line.encode()
    path = written(tmp_path / "data.jsonl", GOOD.encode() * 16 + line + b"\n" + GOOD.encode())
    assert refusal(path) == f"data.jsonl:17: {problem}\n1 of 18 rows are bad: on_bad_row=skip leaves them out"


def test_all_kinds_of_bad_rows_are_skipped_and_kept_with_their_reason(tmp_path):
    bad = [line if isinstance(line, bytes) else line.encode() for line in BAD_LINES]
    path = written(tmp_path / "data.jsonl", GOOD.encode() + b"\n".join(bad) + b"\n" + GOOD.encode())
    split = opened(path, on_bad_row="skip")
    assert (split.count, split.rejected) == (2, len(bad))
    last = f"data.jsonl:{len(bad) + 2}"
    assert list(split) == [
        {"row": 0, "place": "data.jsonl:1", "text": "good"},
        {"row": 1, "place": last, "text": "good"},
    ]
    rejected = list(split.bad())
    assert [row["problem"] for row in rejected] == list(BAD_LINES.values())
    assert rejected[0] == {"place": "data.jsonl:2", "problem": "text is null", "content": '{"text": null}'}
    assert max(len(row["content"]) for row in rejected) == 200
    json.dumps(rejected, ensure_ascii=False).encode()


def test_the_first_ten_bad_rows_are_told_then_a_count(tmp_path):
    path = written(tmp_path / "data.jsonl", GOOD + '{"text": null}\n' * 33)
    told = refusal(path).splitlines()
    assert told[0] == "data.jsonl:2: text is null"
    assert told[9:] == [
        "data.jsonl:11: text is null",
        "... and 23 more",
        "33 of 34 rows are bad: on_bad_row=skip leaves them out",
    ]


def test_skipping_every_row_is_refused(tmp_path):
    path = written(tmp_path / "data.jsonl", '{"text": null}\n')
    assert refusal(path, on_bad_row="skip") == "data.jsonl:1: text is null\n1 rows are bad and none is left"


def test_the_excerpt_of_a_bad_row_can_be_written_to_a_file(tmp_path):
    path = written(tmp_path / "data.json", '[{"text": "a\\ud83d"}, {"text": "good"}]')
    (row,) = opened(path, on_bad_row="skip").bad()
    assert row["content"] == '{"text": "a\\ud83d"}'


def test_a_needed_column_that_no_row_has_is_told_once_with_those_there_are(tmp_path):
    path = written(tmp_path / "squad.jsonl", '{"id": 1, "question": "why", "answer": "so"}\n' * 50)
    told = "needs column 'text'; squad.jsonl has id, question, answer: map it with data.columns.text=<name>"
    assert refusal(path) == told
    assert refusal(path, on_bad_row="skip") == told


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", "id,question\n1,why\n"), ("a.tsv", "id\tquestion\n1\twhy\n"), ("a.csv", "id,question\n")],
)
def test_a_needed_column_missing_in_a_header_is_told(tmp_path, name, content):
    told = f"needs column 'text'; {name} has id, question: map it with data.columns.text=<name>"
    assert refusal(written(tmp_path / name, content)) == told


def test_all_missing_columns_are_told_at_once(tmp_path):
    path = written(tmp_path / "a.txt", "a\n")
    assert refusal(path, ["text", "context", "target"], columns={"target": "txet"}).splitlines() == [
        "data.columns.target=txet: a.txt has no such column; nearest: text",
        "needs column 'context'; a.txt has text: map it with data.columns.context=<name>",
    ]


@pytest.mark.parametrize(("name", "content"), [("a.jsonl", '{"question": "why"}\n'), ("a.csv", "question,id\nwhy,1\n")])
def test_a_mapped_column_that_is_not_there_is_told_with_the_nearest(tmp_path, name, content):
    told = refusal(written(tmp_path / name, content), columns={"text": "quesion"})
    assert told == f"data.columns.text=quesion: {name} has no such column; nearest: question"


def test_the_names_that_rows_use_themselves_cannot_be_mapped(tmp_path):
    told = refusal(written(tmp_path / "a.txt", "a"), columns={"row": "text"})
    assert told == "data.columns.row: row is where a row says its place: use another name"


def test_columns_other_than_texts_may_hold_numbers_and_lists_but_not_nothing(tmp_path):
    lines = ['{"label": 3}', '{"label": ["a", ""]}', '{"label": null}', '{"label": NaN}', '{"label": []}']
    path = written(tmp_path / "a.jsonl", "\n".join([*lines, '{"label": ["a", null]}']))
    split = opened(path, ["label"], on_bad_row="skip")
    assert [row["label"] for row in split] == [3, ["a", ""], []]  # []: none of the classes holds
    assert [row["problem"] for row in split.bad()] == [
        "label is null",
        "label is NaN",
        "label [1] is null",
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (b"one,two,three", "has 3 cells, but the header names 2 columns"),
        (b"one", "has 1 cells, but the header names 2 columns"),
        (b",2", "text is empty"),
        (b"caf\xe9,2", "is not UTF-8: byte 0xe9"),
        (b'"one" and a half,2', "has a quote out of place (',' expected after '\"')"),
    ],
)
def test_a_bad_csv_row_is_told_with_its_line(tmp_path, row, problem):
    path = written(tmp_path / "a.csv", b'text,id\n"two\nlines",1\n' + row + b"\nfour,4\n")
    assert refusal(path).splitlines()[0] == f"a.csv:4: {problem}"
    assert [r["text"] for r in opened(path, on_bad_row="skip")] == ["two\nlines", "four"]


def test_a_quote_that_swallows_rows_is_refused_even_when_bad_rows_are_skipped(tmp_path):
    path = written(tmp_path / "a.csv", 'text,id\none,1\n"two,2\nthree,3\n')
    assert refusal(path, on_bad_row="skip") == "a.csv:3: a quote opens here and is not closed (unexpected end of data)"


def test_a_bad_header_is_refused(tmp_path):
    path = written(tmp_path / "a.csv", "text,text\none,1\n")
    assert refusal(path) == "a.csv:1: column 'text' stands twice in the header: rename one of them"
    assert refusal(written(tmp_path / "b.csv", b"caf\xe9,text\n1,2\n")) == "b.csv:1: is not UTF-8: byte 0xe9"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('[{"text": "a"},\n{"text": "b"', "a.json:2: broken JSON: Expecting ',' delimiter"),
        ('[{"text": "a"}\n{"text": "b"}]', "a.json:2: broken JSON: Expecting ',' or ']'"),
        ('[{"text": "a"},\n', "a.json:1: broken JSON: the list is never closed"),
        ('{"rows": [\n{"text": "a"}]}', 'a.json:2: broken JSON: neither a list of objects nor {"data": [...]}'),
        ("5", "a.json:1: broken JSON: neither a list nor an object"),
        (f'[{{"text": "a"}},\n{"[" * 100_000}', "a.json:2: broken JSON: nested too deeply"),
    ],
)
def test_a_broken_json_list_is_refused_with_its_line(tmp_path, content, told):
    assert refusal(written(tmp_path / "a.json", content), on_bad_row="skip") == told


def test_elements_of_a_json_list_are_told_with_the_line_they_begin_on(tmp_path):
    path = written(tmp_path / "a.json", '[\n  {"text": "a"},\n\n  {"text": null}, 7,\n {"text": "a", "text": "b"}]')
    assert refusal(path).splitlines()[:3] == [
        "a.json:4: text is null",
        "a.json:4: is the number 7, not an object",
        "a.json:5: name 'text' stands twice in one object",
    ]


def test_bad_parquet_cells_are_told_with_their_row(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    raw = pyarrow.array([b"good", None, b"caf\xe9", b""], pyarrow.binary()).view(pyarrow.string())
    write_table(pyarrow.table({"text": raw}), tmp_path / "a.parquet")
    assert refusal(tmp_path / "a.parquet").splitlines()[:3] == [
        "a.parquet:2: text is null",
        "a.parquet:3: is not UTF-8: byte 0xe9",
        "a.parquet:4: text is empty",
    ]


def test_an_empty_prompt_is_told():
    with pytest.raises(DataError, match=r"^data\.prompts:2: text is empty\n1 of 2 rows are bad"):
        open_split(DataConfig(prompts=["a", ""]), "rows", Columns(("text",)))
