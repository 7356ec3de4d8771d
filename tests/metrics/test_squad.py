import collections
import random
import re
import string

import pytest

from runner.metrics.squad import Squad


def official(golds, answer):
    """(exact, f1) as evaluate-v2.0.py computes them, written from its published algorithm."""

    def normal(text):
        text = "".join(ch for ch in text.lower() if ch not in set(string.punctuation))
        return " ".join(re.sub(re.compile(r"\b(a|an|the)\b", re.UNICODE), " ", text).split())

    def f1(gold, guess):
        gold, guess = normal(gold).split(), normal(guess).split()
        same = sum((collections.Counter(gold) & collections.Counter(guess)).values())
        if not gold or not guess:
            return int(gold == guess)
        if not same:
            return 0
        precision, recall = same / len(guess), same / len(gold)
        return 2 * precision * recall / (precision + recall)

    golds = [gold for gold in golds if normal(gold)] or [""]
    return max(int(normal(gold) == normal(answer)) for gold in golds), max(f1(gold, answer) for gold in golds)


WORDS = [
    "the",
    "The",
    "a",
    "cat",
    "cats",
    "Zürich",
    "naïve",
    "U.S.",
    "10,000",
    "—",
    "—the",
    "don't",
    "猫",
    "İ",
    "!",
    "café",
]


def test_scores_are_those_of_the_official_script():
    draw = random.Random(1)
    for _ in range(2000):
        golds = [" ".join(draw.choices(WORDS, k=draw.randint(1, 4))) for _ in range(draw.randint(0, 3))]
        answer = " ".join(draw.choices(WORDS, k=draw.randint(0, 4)))
        found = Squad().score({"answers": {"text": golds, "answer_start": []}}, {"answer": answer})
        assert (found["exact_match"], found["f1"]) == pytest.approx(official(golds, answer)), (golds, answer)
        assert found["answerable"] == bool(golds)


@pytest.mark.parametrize(
    ("golds", "answer", "exact", "f1"),
    [
        (["The Cat!"], "cat", 1, 1.0),
        (["a black cat", "dog"], "the cat", 0, 2 / 3),  # precision 1, recall 1/2
        ([], "", 1, 1.0),
        ([], "cat", 0, 0.0),
        (["cat"], "", 0, 0.0),
    ],
)
def test_by_hand(golds, answer, exact, f1):
    assert Squad().score({"answers": golds}, {"answer": answer})["exact_match"] == exact
    assert Squad().score({"answers": golds}, {"answer": answer})["f1"] == pytest.approx(f1)


def test_questions_with_and_without_answers_are_told_apart():
    metric = Squad()
    rows = [(["cat"], "cat"), (["black cat"], "cat"), ([], ""), ([], "cat"), ([], "dog")]
    found = metric.summarise([metric.score({"answers": golds}, {"answer": answer}) for golds, answer in rows])
    values = {name: estimate.value for name, estimate in found.items()}
    assert values == pytest.approx(
        {
            "exact_match": 2 / 5,
            "f1": (1 + 2 / 3 + 1) / 5,
            "has_answer_exact_match": 1 / 2,
            "has_answer_f1": (1 + 2 / 3) / 2,
            "no_answer": 1 / 3,
        }
    )
    assert found["f1"].baselines == {"no answer": 3 / 5} and found["exact_match"].passed == "exact_match"
    assert found.keys() == metric.numbers().keys()


def test_where_all_questions_have_answers_there_are_two_numbers():
    metric = Squad()
    assert metric.summarise([metric.score({"answers": "cat"}, {"answer": "cat"})] * 3).keys() == {"exact_match", "f1"}


def test_chinese_characters_are_tokens_if_asked_for():
    row = {"answers": ["北京市海淀区。"]}
    assert Squad().score(row, {"answer": "海淀区"})["f1"] == 0.0
    found = Squad(characters=True).score(row, {"answer": "海淀区"})
    assert found["f1"] == pytest.approx(2 * 3 / (6 + 3)) and found["exact_match"] == 0
    assert Squad(characters=True).score(row, {"answer": "北京市海淀区"})["exact_match"] == 1


@pytest.mark.parametrize(
    ("answers", "answerable"),
    [("cat", 1), ("", 0), ([""], 0), ([{"text": "cat", "answer_start": 0}], 1), ({"text": []}, 0)],
)
def test_answers_come_in_several_forms(answers, answerable):
    assert Squad().score({"answers": answers}, {"answer": "cat"})["answerable"] == answerable


def test_rows_without_answers_are_not_scored():
    assert Squad().score({}, {"answer": "cat"}) == {} == Squad().summarise([{}])
