"""The columns of the text tasks: their names, what may be missing, and what must fit together."""

import json

import pytest

from runner.config import DataConfig
from runner.data import Columns, open_split
from runner.errors import DataError

CHOICES = Columns(("prompt", "choices"), ("label",), {"prompt": ("sent1", "startphrase"), "choices": ("ending*",)})
SWAG = "sent1,ending0,ending1,ending2,label\nShe,sang.,ran.,slept.,1\nHe,sat.,left.,,0\n"


def written(path, content):
    if not isinstance(content, str):
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content)
    path.write_text(content, encoding="utf-8")
    return path


def opened(path, columns, /, which="rows", **options):
    return open_split(DataConfig(path=str(path), **options), which, columns)


def refusal(path, columns, /, **options):
    with pytest.raises(DataError) as caught:
        opened(path, columns, **options)
    return str(caught.value)


def first_problem(tmp_path, columns, row):
    return refusal(written(tmp_path / "a.jsonl", [row]), columns).splitlines()[0]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_name_is_what_the_user_gave_else_itself_else_the_first_alias_that_is_there(tmp_path, name):
    columns = Columns(("text",), aliases={"text": ("body", "sentence")})
    for names, given, chosen in [
        (("sentence", "body", "text", "poem"), {"text": "poem"}, "poem"),
        (("sentence", "body", "text", "poem"), {}, "text"),
        (("sentence", "body", "poem"), {}, "body"),
        (("sentence", "poem"), {}, "sentence"),
    ]:
        rows = [{n: f"the {n}" for n in names}]
        table = ",".join(names) + "\n" + ",".join(rows[0].values()) + "\n"
        path = written(tmp_path / name, table if name == "a.csv" else rows)
        (row,) = opened(path, columns, columns=given)
        assert row["text"] == f"the {chosen}"
        assert set(row["others"]) == set(names) - {chosen}


def test_a_needed_column_that_goes_by_no_known_name_is_told_with_what_is_there(tmp_path):
    columns = Columns(("context",), aliases={"context": ("passage",)})
    told = "needs column 'context'; squad.jsonl has id, question, answers: map it with data.columns.context=<name>"
    path = written(tmp_path / "squad.jsonl", [{"id": 1, "question": "why", "answers": "so"}])
    assert refusal(path, columns) == told
    path = written(tmp_path / "squad.csv", "id,question,answers\n1,why,so\n")
    assert refusal(path, columns) == told.replace("jsonl", "csv")


@pytest.mark.parametrize("value", [None, "", "  ", [], float("nan")])
def test_a_row_without_an_optional_value_leaves_it_out(tmp_path, value):
    path = written(tmp_path / "a.jsonl", [{"text": "a", "score": value}, {"text": "b", "score": 1}, {"text": "c"}])
    split = opened(path, Columns(("text",), ("score",)))
    assert [row.get("score", "none") for row in split] == ["none", 1, "none"]
    assert [("score" in row) for row in split] == [False, True, False]


def test_a_row_of_which_no_class_holds_is_not_one_without_a_label(tmp_path):
    path = written(tmp_path / "a.jsonl", [{"text": "a", "label": []}, {"text": "b", "label": None}])
    assert [row.get("label", "none") for row in opened(path, Columns(("text",), ("label",)))] == [[], "none"]


def test_an_optional_column_that_no_row_has_is_no_mistake_unless_the_user_names_it(tmp_path):
    path = written(tmp_path / "a.csv", "text,id\na,1\n")
    columns = Columns(("text",), ("label",), {"label": ("class",)})
    assert list(opened(path, columns)) == [{"row": 0, "place": "a.csv:2", "text": "a", "others": {"id": "1"}}]
    told = "data.columns.label=lable: a.csv has no such column; known: id, text"
    assert refusal(path, columns, columns={"label": "lable"}) == told


def test_an_optional_text_that_is_there_must_be_text(tmp_path):
    columns = Columns(("text",), ("text_pair",))
    told = "a.jsonl:1: text_pair is the number 5, not text"
    assert first_problem(tmp_path, columns, {"text": "a", "text_pair": 5}) == told


@pytest.mark.parametrize("given", [{}, {"choices": "ending*"}])
def test_numbered_columns_are_one_list_without_what_is_empty_at_its_end(tmp_path, given):
    split = opened(written(tmp_path / "swag.csv", SWAG), CHOICES, columns=given)
    assert list(split) == [
        {"row": 0, "place": "swag.csv:2", "prompt": "She", "choices": ["sang.", "ran.", "slept."], "label": "1"},
        {"row": 1, "place": "swag.csv:3", "prompt": "He", "choices": ["sat.", "left."], "label": "0"},
    ]


def test_numbered_columns_are_in_the_order_of_their_numbers_and_none_may_miss_between(tmp_path):
    rows = [{"sent1": "a", **{f"ending{i}": f"e{i}" for i in (10, 9, 8, 7, 6, 5, 4, 3, 2, 1)}}]
    rows.append({"sent1": "b", "ending1": "e1", "ending3": "e3", "id": 7})
    path = written(tmp_path / "a.jsonl", rows)
    assert refusal(path, CHOICES).splitlines()[0] == "a.jsonl:2: ending* [1] is null"
    (row,) = opened(path, CHOICES, limit=1)
    assert row["choices"] == [f"e{i}" for i in range(1, 11)]


def test_numbered_columns_that_are_not_there_are_told(tmp_path):
    path = written(tmp_path / "a.csv", "sent1,end0\na,b\n")
    assert refusal(path, CHOICES, columns={"choices": "ending*"}) == (
        "data.columns.choices=ending*: a.csv has no such column; known: end0, sent1"
    )
    assert refusal(path, CHOICES) == (
        "needs column 'choices'; a.csv has sent1, end0: map it with data.columns.choices=<name>"
    )


TAGGED = Columns(("tokens", "tags"), aliases={"tags": ("ner_tags",)})
ANSWERED = Columns(("question", "context"), ("answers",))
CONTEXT = "The cat sat on the mat."  # cat at 4, sat at 8, the mat at 15


def asked(text, start):
    return {"question": "who", "context": CONTEXT, "answers": {"text": [text], "answer_start": [start]}}


BAD_ROWS = {
    "tags is missing": (TAGGED, {"tokens": ["a"]}, "has no column 'ner_tags'"),
    "tags is null": (TAGGED, {"tokens": ["a"], "ner_tags": None}, "ner_tags is null"),
    "fewer tags": (TAGGED, {"tokens": ["a", "b", "c"], "ner_tags": ["O", "O"]}, "has 3 tokens but 2 tags"),
    "more tags": (TAGGED, {"tokens": ["a"], "ner_tags": [0, 1]}, "has 1 tokens but 2 tags"),
    "tokens as text": (TAGGED, {"tokens": "a b", "ner_tags": ["O", "O"]}, "tokens is text, not a list"),
    "a number among tokens": (
        TAGGED,
        {"tokens": ["a", 5], "ner_tags": ["O", "O"]},
        "tokens [1] is the number 5, not text",
    ),
    "a choice is null": (
        Columns(("text", "choices")),
        {"text": "a", "choices": ["b", None]},
        "choices [1] is null",
    ),
    "answer elsewhere": (
        ANSWERED,
        asked("cat", 17),
        "answer 'cat' does not stand at character 17 of its context (there: 'e m'): it stands at 4",
    ),
    "answer nowhere": (
        ANSWERED,
        asked("dog", 4),
        "answer 'dog' does not stand at character 4 of its context (there: 'cat')",
    ),
    "answer behind the context": (
        ANSWERED,
        asked("cat", 99),
        "answer 'cat' does not stand at character 99 of its context (there: nothing): it stands at 4",
    ),
    "answer before the context": (
        ANSWERED,
        asked("mat.", -4),
        "answer 'mat.' does not stand at character -4 of its context (there: nothing): it stands at 19",
    ),
    "start as text": (ANSWERED, asked("cat", "4"), "answer 'cat' has text for its start, not a whole number"),
    "answers as text": (
        ANSWERED,
        {"question": "who", "context": CONTEXT, "answers": "cat"},
        'answers is text, not {"text": [...], "answer_start": [...]}',
    ),
    "answers without starts": (
        ANSWERED,
        {"question": "who", "context": CONTEXT, "answers": {"text": ["cat"]}},
        "answers has no list 'answer_start'",
    ),
    "more answers than starts": (
        ANSWERED,
        {"question": "who", "context": CONTEXT, "answers": {"text": ["cat", "mat"], "answer_start": [4]}},
        "answers has 2 texts but 1 starts",
    ),
    "label is missing": (Columns(("text", "label")), {"text": "a"}, "has no column 'label'"),
    "label is null": (Columns(("text", "label")), {"text": "a", "label": None}, "label is null"),
    "label is empty": (Columns(("text", "label")), {"text": "a", "label": ""}, "label is empty"),
}
GOOD = {  # needed columns: a good row
    ("tokens", "tags"): {"tokens": ["a"], "ner_tags": ["O"]},
    ("question", "context"): asked("cat", 4),
    ("text", "label"): {"text": "a", "label": "x"},
    ("text", "choices"): {"text": "a", "choices": ["b", "c"]},
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_bad_row_of_a_task_is_told_with_its_place_and_can_be_skipped(tmp_path, case):
    columns, row, problem = BAD_ROWS[case]
    path = written(tmp_path / "a.jsonl", [GOOD[columns.needed], row])
    assert refusal(path, columns) == (f"a.jsonl:2: {problem}\n1 of 2 rows are bad: on_bad_row=skip leaves them out")
    assert [row["place"] for row in opened(path, columns, on_bad_row="skip")] == ["a.jsonl:1"]


def test_a_question_without_an_answer_is_a_good_row(tmp_path):
    empty = {"text": [], "answer_start": []}
    path = written(tmp_path / "a.jsonl", [{"question": "who", "context": CONTEXT, "answers": empty}, asked("cat", 4)])
    assert [row["answers"] for row in opened(path, ANSWERED)] == [empty, {"text": ["cat"], "answer_start": [4]}]
    assert [row["answers"] for row in opened(path, Columns(("question", "context", "answers")))][0] == empty


@pytest.mark.parametrize("text", ["😀👩‍👩‍👧", "a\x07b", "\u202eabc", "a\u0000b", "\u200b"])
def test_emoji_and_control_characters_are_text(tmp_path, text):
    (row,) = opened(written(tmp_path / "a.jsonl", [{"text": text, "label": "😀"}]), Columns(("text", "label")))
    assert (row["text"], row["label"]) == (text, "😀")


def test_tokens_may_be_spaces_and_tags_numbers(tmp_path):
    (row,) = opened(written(tmp_path / "a.jsonl", [{"tokens": ["a", " ", ""], "ner_tags": [0, 1, 2]}]), TAGGED)
    assert (row["tokens"], row["tags"]) == (["a", " ", ""], [0, 1, 2])
