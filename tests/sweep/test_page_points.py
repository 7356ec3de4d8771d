"""Points, axes and fronts: expected by hand."""

import pytest

from runner.sweep.axes import axis, fence, measured
from runner.sweep.findings import short
from runner.sweep.page.points import front, points
from tests.sweep.invented import Invented


def test_what_no_point_beats_in_all_goals_is_the_front():
    #         0    1    2    3: beaten by 0  4: as 1   5: not measured
    first = [1.0, 2.0, 3.0, 1.0, 2.0, None]
    second = [3.0, 2.0, 1.0, 4.0, 2.0, 0.0]
    assert front([first, second], [False, False]) == [0, 1, 2, 4]
    assert front([first, second], [True, False]) == [2]
    assert front([first, second], [True, True]) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("texts", "log", "expected"),
    [
        (["1e-5", "1e-3"], None, True), (["0.1", "0.9"], None, False), (["0", "1000"], None, False),
        (["0.001", "0.9"], False, False), (["2", "3"], True, True), (["-1", "3"], True, False),
    ],
)  # fmt: skip
def test_an_axis_is_logarithmic_where_it_was_drawn_so_or_spreads_over_two_decades(texts, log, expected):
    assert axis("k", "k", texts, log).log is expected


def test_what_is_no_number_stands_in_the_order_of_the_plan_behind_numbers():
    made = axis("k", "k", ["null", "10", "null", None, "5"])
    assert made.choices == ["5", "10", "null"] and list(made.values) == [2.0, 1.0, 2.0, None, 0.0]
    assert axis("k", "k", ["b", "a"], order=[1, 0]).choices == ["a", "b"]
    assert axis("k", "k", ["nan", "1"]).choices == ["1", "nan"]  # not finite is no place on an axis
    many = axis("k", "k", [f"v{at}" for at in range(100)])
    assert many.choices[-1] == "61 others" and many.values[-1] == 39.0


def test_few_values_that_come_again_are_looked_at_one_by_one():
    assert axis("k", "k", ["1", "2"] * 3).discrete and not axis("k", "k", ["1", "2", "3", "4"]).discrete


def test_what_is_far_worse_than_most_does_not_stretch_the_axis():
    # quartiles 2.25 and 4.75: up to 4.75 + 3 x 2.5 = 12.25; better values are never cut
    assert fence([1, 2, 3, 4, 5, 100], larger=False) == (1, 5)
    assert fence([1, 2, 3, 4, 5, 100], larger=True) == (1, 100)
    assert fence([5, 5, 5, 5, 5, 100], larger=False) == (5, 100)
    made = measured("k", "k", [1.0, 2.0])
    assert made.ends == pytest.approx((0.95, 2.05)) and made.beyond == 0


def test_keys_are_as_short_as_they_can_be():
    assert short(["decode.top_p", "data.limit", "train.limit", "seed"]) == {
        "decode.top_p": "top_p", "data.limit": "data.limit", "train.limit": "train.limit", "seed": "seed",
    }  # fmt: skip


def test_the_script_is_given_values_standings_and_goals(tmp_path):
    sweep = Invented(tmp_path, goals=["accuracy", "seconds"])
    sweep.job(["a.x=1", "a.mode=on"], 0.9, seconds=5)
    sweep.job(["a.x=2", "a.mode=off"], 0.88, seconds=1)
    sweep.job(["a.x=4", "a.mode=off"], 0.2, seconds=3)
    made = points(sweep.findings(), 3)
    assert [one.name for one in made.keys] == ["x", "mode"]
    assert [point["a"] for point in made.data["points"]] == [[1, 0], [2, 1], [4, 1]]
    assert [point["k"] for point in made.data["points"]] == [0, 1, 2]
    assert made.front == [0, 1] and made.data["number"]["larger"] is True


def test_of_very_many_points_every_so_many_are_drawn_and_all_of_the_front(tmp_path):
    sweep = Invented(tmp_path, goals=["accuracy", "seconds"])
    for at in range(4000):
        sweep.job([f"a={at % 7}", f"b={at}"], at / 4000, seconds=10.0 + at)
    sweep.job(["a=0", "b=-1"], 0.0, seconds=1.0)  # last of all by its number, first by what it takes
    made = points(sweep.findings(), 100)
    drawn = [made.data["points"][at]["v"] for at in made.data["drawn"]]
    assert len(drawn) == 1500 and sum(drawn) / len(drawn) == pytest.approx(0.5, abs=0.01)
    assert made.told == " 1,500 of 4,001 points are drawn, evenly by place."
    assert len(made.front) == 4000  # all but one that is as good as the last
    few = points(sweep.findings(), 4001)
    assert few.told == made.told and len(few.data["points"]) == 4001
