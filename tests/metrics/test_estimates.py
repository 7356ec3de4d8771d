import math
import random

import pytest

from runner.metrics.estimate import Ratio, share
from runner.metrics.likelihood import Likelihood
from runner.metrics.verse import WellFormed, is_well_formed


def test_wilson_interval_of_a_published_example():
    # Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263, method 3: 0.2553 to 0.3662
    found = share(81, 263)
    assert (found.value, found.low, found.high) == pytest.approx((0.3080, 0.2553, 0.3662), abs=1e-4)
    assert share(0, 10).low == share(0, 6).low == 0.0 and share(10, 10).high == pytest.approx(1.0)


def test_ratio_intervals_cover_the_truth_in_93_to_97_of_100_experiments():
    draw = random.Random(7)
    covered = 0
    for _ in range(2000):
        ratio = Ratio()
        for _ in range(200):
            tokens = draw.choice((24, 32, 48, 64))
            ratio.add(sum(draw.gauss(4.7, 0.5) for _ in range(1)) * tokens, tokens)
        found = ratio.estimate()
        covered += found.low <= 4.7 <= found.high
    assert 0.93 <= covered / 2000 <= 0.97


def test_perplexity_by_hand():
    scores = [
        {"nll": 2 * math.log(8), "tokens": 2, "correct": 1, "bytes": 6},
        {"nll": 0.0, "tokens": 1, "correct": 1, "bytes": 3},
    ]
    found = Likelihood().summarise(scores)
    assert found["perplexity"].value == pytest.approx(4.0)  # (8 * 8 * 1) ** (1 / 3)
    assert found["bits_per_byte"].value == pytest.approx(6 / 9)
    assert found["accuracy"].value == pytest.approx(2 / 3)
    assert found["perplexity"].n == 2


def test_one_example_has_no_interval():
    found = Likelihood().summarise([{"nll": 1.0, "tokens": 2, "correct": 1, "bytes": 6}])
    assert found["loss"].low is None and found["perplexity"].high is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。", True),
        ("春眠不觉晓，处处闻啼鸟。", False),
        ("春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多。", False),
        ("春眠不觉晓。处处闻啼鸟。夜来风雨声，花落知多少。", False),
        ("朝辞白帝彩云间，千里江陵一日还。两岸猿声啼不住，轻舟已过万重山。", True),
        ("朝辞白帝彩云间，千里江陵一日还。夜来风雨声，花落知多少。", False),
    ],
)
def test_a_poem_is_two_or_four_couplets_of_equal_lines(text, expected):
    assert is_well_formed(text) is expected


def test_texts_that_are_not_chinese_are_not_judged_as_poems():
    metric = WellFormed()
    assert metric.score({}, "The moon") == {}
    assert metric.summarise([{}, {}]) == {}


def test_well_formed_names_the_score_that_is_0_for_a_mistake():
    assert WellFormed().summarise([{"well_formed": 1.0}])["well_formed"].passed == "well_formed"


def test_an_answer_of_another_kind_is_not_scored():
    from runner.metrics.choice import Choice
    from runner.metrics.entities import Entities
    from runner.metrics.squad import Squad

    row = {"label": 0, "tags": ["O"], "answers": ["a"]}
    for metric in (Choice(), Entities(), Squad()):
        assert metric.score(row, "a text") == {} == metric.score(row, {"entities": []})
