"""The share of each key: numbers from calculations by hand."""

import random

import pytest

from runner.sweep.axes import axis
from runner.sweep.importance import importance


def grid(table, repeats):
    """Axes a (down) and b (across) of a table of numbers, and the numbers, each so many times."""
    cells = [(i, j, value) for i, row in enumerate(table) for j, value in enumerate(row)] * repeats
    a, b = (axis(name, name, [str(cell[at]) for cell in cells]) for at, name in enumerate("ab"))
    return [a, b], [value for *_, value in cells]


def shares(found):
    return {one.axis.key: one.share for one in found.shares}


def test_of_a_full_grid_it_is_the_variance_of_the_means_over_all_variance():
    # about the mean 2: total 4+1+0+0+1+4 = 10; means of a are 1, 3: 6 x 1; means of b are 1, 2, 3: 2 x (1+0+1)
    found = importance(*grid([[0, 1, 2], [2, 3, 4]], repeats=2))
    assert shares(found) == pytest.approx({"a": 0.6, "b": 0.4})
    assert found.together == pytest.approx(1.0)
    assert max(one.p for one in found.shares) < 0.05


def test_what_keys_do_only_together_belongs_to_none():
    # about the mean 1: total 5 x 1 + 25 = 30; means of a are 0, 2: 6; means of b are 0, 0, 3: 2 x (1+1+4) = 12
    found = importance(*grid([[0, 0, 0], [0, 0, 6]], repeats=2))
    assert shares(found) == pytest.approx({"a": 0.2, "b": 0.4})
    assert found.together == pytest.approx(0.6)


def test_keys_that_move_together_explain_nothing_alone():
    values = [str(v) for v in range(30)]
    found = importance([axis("a", "a", values), axis("b", "b", values)], [float(v) for v in values])
    assert shares(found) == pytest.approx({"a": 0.0, "b": 0.0}, abs=1e-9)
    assert found.together == pytest.approx(1.0)


def test_a_key_with_an_optimum_in_the_middle_matters():
    draw = random.Random(1)
    x, noise = [draw.random() for _ in range(60)], [draw.random() for _ in range(60)]
    axes = [axis(name, name, [repr(v) for v in values], log=False) for name, values in (("x", x), ("noise", noise))]
    found = importance(axes, [(v - 0.5) ** 2 for v in x])
    assert found.shares[0].axis.key == "x" and found.shares[0].share > 0.95 and found.shares[0].p < 0.01
    assert found.shares[1].share < 0.01


def test_the_tick_is_what_chance_gives():
    # two groups of ten: Student's t at 18 degrees of freedom is 2.101 at 5 %; t^2 / (t^2 + 18) = 0.197 of the variance
    draw = random.Random(2)
    found = importance([axis("a", "a", ["x", "y"] * 10)], [draw.gauss(0, 1) for _ in range(20)])
    assert found.shares[0].chance == pytest.approx(0.197, abs=0.03)


def test_of_keys_without_effect_five_in_a_hundred_seem_to_matter():
    draw = random.Random(3)
    found = [importance([axis("a", "a", ["x", "y", "z"] * 8)], [draw.gauss(0, 1) for _ in range(24)]).shares[0].p
             for _ in range(150)]  # fmt: skip
    assert 0.01 <= sum(p < 0.05 for p in found) / len(found) <= 0.1


def test_with_too_few_jobs_nothing_is_said():
    found = importance(*grid([[0, 1, 2], [2, 3, 5]], repeats=1))  # 4 parameters of 6 jobs
    assert (found.shares, found.jobs, found.needed) == ([], 6, 8)
    assert importance(*grid([[1, 1, 1], [1, 1, 1]], repeats=2)).shares == []  # nothing differs


def test_a_key_that_some_points_do_not_have_can_matter():
    draw = random.Random(4)
    texts = [None if at % 2 else repr(draw.random()) for at in range(40)]
    found = importance([axis("a", "a", texts)], [float(text is None) for text in texts])
    assert found.shares[0].share == pytest.approx(1.0)


def test_a_key_under_a_condition_leaves_it_its_effect():
    """Where the rate has no momentum it is another method's: that is the method's effect, not the momentum's."""
    draw = random.Random(5)
    methods = ["a" if at % 2 else "b" for at in range(60)]
    momenta = [None if method == "a" else repr(draw.random()) for method in methods]
    values = [0.9 if method == "a" else 0.5 + 0.01 * draw.random() for method in methods]
    found = importance([axis("method", "m", methods), axis("momentum", "o", momenta)], values)
    assert [one.axis.key for one in found.shares] == ["method", "momentum"]
    assert found.shares[0].share > 0.7 and found.shares[0].p < 0.05 and found.shares[1].share < 0.05
