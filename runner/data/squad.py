"""Questions of SQuAD files, versions 1 and 2: articles of paragraphs of questions, one row a question."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from runner.data.strict_json import as_object, kind


class Question(NamedTuple):
    """A row, or what is wrong with a part of its article."""

    where: str  # what follows file:line, the line on which its article begins
    values: dict[str, Any]
    problem: str = ""


def is_article(element: Any) -> bool:
    """Whether an element of a JSON list is an article of paragraphs."""
    return isinstance(element, Mapping) and isinstance(element.get("paragraphs"), list)


def questions(article: Mapping[str, Any], numbers: Iterator[int]) -> Iterator[Question]:
    """Every question of an article: id, title, context, question, answers; impossible ones have no answers.

    `numbers` counts the questions of the file, for those without an id.
    """
    for at, paragraph in enumerate(article["paragraphs"], 1):
        values, problem = as_object(paragraph)
        asked = values.get("qas", [])
        if not problem and not isinstance(asked, list):
            problem = f"has {kind(asked)} for its list 'qas'"
        if problem:
            yield Question(f"paragraph {at}", {}, problem)
            continue
        shared = {"title": article.get("title"), "context": values.get("context")}
        for element in asked:
            number = next(numbers)
            question, problem = as_object(element)
            where = f"question {question.get('id', number)}"
            yield Question(where, {}, problem) if problem else _row(where, question, shared)


def _row(where: str, question: Mapping[str, Any], shared: Mapping[str, Any]) -> Question:
    values = {"id": question.get("id"), **shared, "question": question.get("question")}
    given = [] if question.get("is_impossible") is True else question.get("answers")
    values = {name: value for name, value in values.items() if value is not None}
    if given is None:
        return Question(where, values)
    if not isinstance(given, list) or not all(isinstance(answer, Mapping) for answer in given):
        return Question(where, values, 'its answers are no list of {"text": ..., "answer_start": ...}')
    return Question(
        where, values | {"answers": {name: [a.get(name) for a in given] for name in ("text", "answer_start")}}
    )
