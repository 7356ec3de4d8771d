import gzip
import json

import pytest

from runner.config import DataConfig
from runner.data import Columns, open_split
from runner.errors import DataError

ANSWERED = Columns(("question", "context", "answers"))
CONTEXT = "The cat sat on the mat."  # cat at 4, the mat at 15


def question(number, text="cat", start=4, **more):
    answers = [{"text": text, "answer_start": start}]
    return {"id": f"q{number}", "question": f"why {number}?", "answers": answers} | more


def squad(*questions, **more):
    paragraphs = [{"context": CONTEXT, "qas": [q]} for q in questions]
    return {"version": "v2.0", "data": [{"title": "Cats", "paragraphs": paragraphs}]} | more


def written(path, value, **options):
    content = value if isinstance(value, str) else json.dumps(value, **options)
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return path


def opened(path, columns=ANSWERED, which="rows", **options):
    return open_split(DataConfig(path=str(path), **options), which, columns)


def refusal(path, columns=ANSWERED, **options):
    with pytest.raises(DataError) as caught:
        opened(path, columns, **options)
    return str(caught.value)


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
@pytest.mark.parametrize("indent", [None, 1])
def test_a_row_is_a_question_with_its_context_title_and_answers(tmp_path, name, indent):
    path = written(tmp_path / name, squad(question(1), question(2, "the mat", 15)), indent=indent)
    rows = list(opened(path))
    assert rows[1] == {
        "row": 1,
        "place": f"{name}:{4 if indent else 1} question q2",
        "question": "why 2?",
        "context": CONTEXT,
        "answers": {"text": ["the mat"], "answer_start": [15]},
        "others": {"id": "q2", "title": "Cats"},
    }
    assert len(rows) == 2


def test_an_impossible_question_has_no_answers_whatever_stands_beside_it(tmp_path):
    plausible = question(3, plausible_answers=[{"text": "cat", "answer_start": 4}], answers=[], is_impossible=True)
    asked = [question(1, is_impossible=False), question(2, is_impossible=True), plausible]
    none = {"text": [], "answer_start": []}
    answers = [row["answers"] for row in opened(written(tmp_path / "a.json", squad(*asked)))]
    assert answers == [{"text": ["cat"], "answer_start": [4]}, none, none]


def test_several_answers_stay_in_their_order(tmp_path):
    three = [
        {"text": "mat", "answer_start": 19},
        {"text": "cat", "answer_start": 4},
        {"text": "mat", "answer_start": 19},
    ]
    (row,) = opened(written(tmp_path / "a.json", squad(question(1, answers=three))))
    assert row["answers"] == {"text": ["mat", "cat", "mat"], "answer_start": [19, 4, 19]}


def test_questions_without_answers_can_be_predicted_but_not_learned_from(tmp_path):
    path = written(tmp_path / "a.json", squad({"id": "q1", "question": "why?"}))
    (row,) = opened(path, Columns(("question", "context"), ("answers",)))
    assert (row["question"], "answers" in row) == ("why?", False)
    assert refusal(path) == (
        "needs column 'answers'; a.json has id, title, context, question: map it with data.columns.answers=<name>"
    )


def test_files_of_a_folder_are_its_splits_and_articles_may_stand_in_a_plain_list(tmp_path):
    written(tmp_path / "train.json", squad(question(1), question(2)))
    written(tmp_path / "test.json.gz", squad(question(3))["data"])
    assert (opened(tmp_path).name, opened(tmp_path).count) == (f"{tmp_path.name}/test", 1)
    train, validation = (opened(tmp_path, which=which) for which in ("train", "validation"))
    assert [row["others"]["id"] for row in validation] == ["q1"]
    assert [row["question"] for row in train] == ["why 2?"]


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (
            question(2, "cat", 17),
            "question q2: answer 'cat' does not stand at character 17 of its context (there: 'e m'): it stands at 4",
        ),
        (question(2, answers="cat"), 'question q2: its answers are no list of {"text": ..., "answer_start": ...}'),
        (
            question(2, answers=[{"text": "cat"}]),
            "question q2: answer 'cat' has null for its start, not a whole number",
        ),
        (question(2, answers=[{"answer_start": 4}]), "question q2: answer None is no text"),
        (question(2, question=""), "question q2: question is empty"),
        (question(2, question=7), "question q2: question is the number 7, not text"),
        ("why?", "question 2: is text, not an object"),
    ],
)
def test_a_bad_question_is_told_and_can_be_skipped(tmp_path, broken, problem):
    path = written(tmp_path / "a.json", squad(question(1), broken))
    assert refusal(path).splitlines()[0] == f"a.json:1 {problem}"
    assert [row["others"]["id"] for row in opened(path, on_bad_row="skip")] == ["q1"]


@pytest.mark.parametrize(
    ("paragraph", "problem"),
    [
        ("text", "a.json:1 paragraph 2: is text, not an object"),
        ({"context": CONTEXT, "qas": {}}, "a.json:1 paragraph 2: has an object for its list 'qas'"),
        ({"qas": [question(2)]}, "a.json:1 question q2: has no column 'context'"),
    ],
)
def test_a_bad_paragraph_is_told_and_can_be_skipped(tmp_path, paragraph, problem):
    file = squad(question(1))
    file["data"][0]["paragraphs"].append(paragraph)
    path = written(tmp_path / "a.json", file)
    assert refusal(path).splitlines()[0] == problem
    assert opened(path, on_bad_row="skip").count == 1


def test_a_torn_file_is_refused_with_its_line(tmp_path):
    path = written(tmp_path / "a.json", json.dumps(squad(question(1)), indent=1)[:-8])
    assert refusal(path).startswith("a.json:")
    assert "broken JSON" in refusal(path)
