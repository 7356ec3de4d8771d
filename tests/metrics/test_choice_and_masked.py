import math

import pytest

from runner.errors import DataError
from runner.metrics.choice import Choice
from runner.metrics.masked import MaskedTokens

ANSWER = {"choice": 0, "probabilities": [0.5, 0.25, 0.25], "text": "red"}


def score(label, answer=ANSWER, choices=("red", "green", "2")):
    return Choice().score({"place": "q:7", "label": label, "choices": list(choices)}, answer)


@pytest.mark.parametrize(
    ("label", "position"), [(1, 1), ("1", 1), ("B", 1), ("c", 2), ("green", 1), ("2", 2), (2.0, 2), ("A", 0)]
)
def test_the_right_choice_is_named_by_number_letter_or_text(label, position):
    assert score(label)["gold"] == position


def test_a_text_that_is_a_choice_is_that_choice():
    assert score("1", choices=("1", "2", "3"))["gold"] == 0
    assert score("B", choices=("B", "A", "x"))["gold"] == 0


@pytest.mark.parametrize("label", [3, "D", "blue", 1.5, "-2"])
def test_a_label_that_names_no_choice_is_told(label):
    with pytest.raises(
        DataError, match=r"^q:7: label .* names none of the 3 choices: give a number from 0 to 2, a let"
    ):
        score(label)


def test_choices_by_hand():
    two = {"choice": 1, "probabilities": [0.25, 0.75], "text": "no"}
    rows = [score(0), score("A"), score(1), score(1, two, ("yes", "no"))]
    found = Choice().summarise(rows)
    assert found["accuracy"].value == 0.75 and found["accuracy"].passed == "correct"
    assert found["accuracy"].baselines == pytest.approx({"majority": 0.5, "random": (3 * 1 / 3 + 1 / 2) / 4})
    assert found["log_loss"].value == pytest.approx((2 * math.log(2) + math.log(4) - math.log(0.75)) / 4)
    assert found["log_loss"].baselines == pytest.approx({"random": (3 * math.log(3) + math.log(2)) / 4})


def test_masked_tokens_by_hand():
    metric = MaskedTokens()
    right, near, far = ({"top1": 1, "top5": 1, "nll": 0.0}, {"top1": 0, "top5": 1, "nll": math.log(8)},
                        {"top1": 0, "top5": 0, "nll": math.log(64)})  # fmt: skip
    found = metric.summarise([metric.score({}, {"masked": [right, near]}), metric.score({}, {"masked": [far]})])
    assert found["accuracy"].value == pytest.approx(1 / 3) and found["accuracy_5"].value == pytest.approx(2 / 3)
    assert found["loss"].value == pytest.approx(3 * math.log(2))
    assert found["pseudo_perplexity"].value == pytest.approx(8.0)  # (1 * 8 * 64) ** (1 / 3)
    assert found["accuracy"].n == 2


def test_rows_without_an_answer_are_not_scored():
    assert Choice().score({}, ANSWER) == {} == Choice().summarise([{}])
    assert MaskedTokens().score({}, {"masked": [], "text": "x"}) == {} == MaskedTokens().summarise([{}])
    assert MaskedTokens().score({}, {"masked": [{"token": "x"}]}) == {}
