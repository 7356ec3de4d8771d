from __future__ import annotations

import csv
import itertools
import json
import math
import random
import statistics
from dataclasses import replace

import pytest

from runner.metrics.choice import Choice
from runner.metrics.likelihood import Likelihood
from runner.sweep.board import leaderboard
from runner.sweep.entries import Entry
from runner.sweep.findings import drawn
from runner.sweep.paired import by_row, holm, paired, student, unpaired
from runner.sweep.plan import Job
from runner.sweep.results import lines
from runner.types import Estimate


def scores(values):
    return dict(enumerate(values))


def test_a_number_that_is_a_mean_has_a_part_of_each_row():
    rows = scores(
        [{"gold": 1, "guess": 1, "correct": 1, "nll": 0.2}, {"gold": 1, "guess": 0, "correct": 0, "nll": 2.0}]
    )
    assert by_row(rows, Choice.parts["accuracy"]) == {0: 1.0, 1: 0.0}
    assert by_row(rows, Choice.parts["log_loss"]) == {0: 0.2, 1: 2.0}
    assert by_row(rows, None) is None and by_row({}, "correct") is None


def test_a_ratio_has_parts_whose_mean_it_is():
    rows = scores([{"nll": 10.0, "tokens": 4}, {"nll": 3.0, "tokens": 2}, {"nll": 30.0, "tokens": 6}])
    parts = by_row(rows, Likelihood.parts["perplexity"])
    assert sum(parts.values()) / 3 == pytest.approx(43 / 12)
    assert parts[0] == pytest.approx(43 / 12 + (10 - 43 / 12 * 4) / 4)


@pytest.mark.parametrize(("first", "second"), [([1, 1, 1, 0, 1, 1], [0, 0, 1, 1, 0, 0]), ([1] * 9, [0] * 9)])
def test_differences_of_one_size_get_the_exact_sign_test(first, second):
    from scipy.stats import binomtest

    wins, losses = (sum((a - b) == sign for a, b in zip(first, second, strict=True)) for sign in (1, -1))
    expected = binomtest(wins, wins + losses).pvalue
    assert paired(scores(first), scores(second)) == pytest.approx(expected)


def test_other_differences_get_a_permutation_test():
    draw = random.Random(1)
    differences = [draw.gauss(0.4, 1) for _ in range(10)]
    observed = abs(sum(differences))
    flips = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in itertools.product((1, -1), repeat=10)
    ]
    exact = sum(one >= observed - 1e-12 for one in flips) / len(flips)
    assert paired(scores(differences), scores([0.0] * 10)) == pytest.approx(exact, abs=0.03)


def test_the_same_rows_are_as_good_and_a_clear_difference_is_beyond_counting():
    assert paired(scores([0.1, 0.2]), scores([0.1, 0.2])) == 1.0
    far = paired(scores([1 + at / 1000 for at in range(400)]), scores([0.0] * 400))
    assert far < 1e-20
    assert paired({0: 1.0}, {1: 1.0}) is None


def test_of_one_data_set_cut_in_two_five_in_a_hundred_comparisons_are_below_five_percent():
    draw = random.Random(0)
    found = [
        paired(scores([draw.gauss(0, 1) for _ in range(40)]), scores([draw.gauss(0, 1) for _ in range(40)]))
        for _ in range(300)
    ]
    assert 0.02 <= sum(p < 0.05 for p in found) / 300 <= 0.09


def test_a_mean_over_seeds_is_tested_by_students_t():
    from scipy.stats import ttest_1samp

    values = [0.3, -0.1, 0.4, 0.2]
    variance = sum((one - 0.2) ** 2 for one in values) / 3 / 4
    assert student(0.2, variance, 3.0) == pytest.approx(float(ttest_1samp(values, 0.0).pvalue))
    assert student(0.2, variance, math.inf) == pytest.approx(math.erfc(0.2 / math.sqrt(2 * variance)))
    assert student(0.0, 0.0, 3.0) == 1.0 and student(0.1, 0.0, 3.0) is None


def several(points):
    """A sweep of these points: for each seed the parts of its rows."""
    found, parts = [], {}
    for at, seeds in enumerate(points):
        for seed, rows in enumerate(seeds):
            job = Job(
                len(found), len(found), f"id{len(found)}", [], [f"x={at}", f"seed={seed}"], "", CONFIG | {"seed": seed}
            )
            mean = sum(rows) / len(rows)
            parts[job.number] = rows
            entry_ = Entry(
                job, "done", None, seconds=1.0, metrics={"accuracy": Estimate(mean, mean - 0.1, mean + 0.1, len(rows))}
            )
            found.append(entry_)

    def rows_of_place(place, *_):
        columns = zip(*(parts[one.job.number] for one in place.entries), strict=True)
        return {row: sum(values) / len(values) for row, values in enumerate(columns)}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runner.sweep.board._rows", rows_of_place)
        return leaderboard(found, "accuracy", larger=True)


def moments(first, second):
    """Of the differences of rows: their mean, its variance, its degrees of freedom."""
    differences = [one - other - 0.5 for one, other in zip(first, second, strict=True)]
    return statistics.fmean(differences), statistics.variance(differences) / len(differences), len(differences) - 1.0


CONFIG = {"data": {"path": "a"}, "task": {"name": "t"}}


def test_of_equal_points_the_one_that_is_meant_is_seldom_called_worse():
    draw = random.Random(0)
    found = [several([[[draw.gauss(0, 1) for _ in range(40)]] for _ in range(8)]) for _ in range(150)]
    worse = [place for board in found for place in board if place.p is not None and not place.ties]
    assert sum(place.told == "x=0" for place in worse) / 150 <= 0.05 and worse  # one of them is, more often


def test_seeds_that_differ_by_themselves_make_no_point_worse():
    draw = random.Random(1)

    def point(effect):
        luck = [effect + draw.gauss(0, 0.05) for _ in range(3)]
        return [[one + draw.gauss(0, 0.5) for _ in range(400)] for one in luck]

    equal = [several([point(0), point(0)])[1] for _ in range(120)]
    assert sum(not place.ties for place in equal) / 120 <= 0.05
    unequal = [several([point(0.0), point(0.9)])[1] for _ in range(20)]
    assert sum(not place.ties for place in unequal) >= 18
    same = [[draw.gauss(0, 1) for _ in range(200)] for _ in range(2)]  # seeds that change nothing: by the rows alone
    board = several([[same[0]] * 3, [[one + 0.5 for one in same[1]]] * 3])
    assert board[1].p == pytest.approx(student(*moments(*same)), rel=1e-6)


def test_points_that_break_a_condition_or_failed_with_a_seed_come_last(tmp_path, monkeypatch):
    monkeypatch.setattr("runner.sweep.board._rows", lambda *_: None)
    found = [entry(tmp_path, at, value, seed, said) for at, (value, seed, said) in enumerate(
        [(0.9, 0, "x=1"), (0.5, 0, "x=2"), (0.6, 1, "x=2"), (0.8, 0, "x=3"), (0.7, 1, "x=3")])]  # fmt: skip
    lost = replace(entry(tmp_path, 9, 0.0, 1, "x=1"), state="failed", metrics={})
    places = leaderboard([*found, lost], "accuracy", True, ["accuracy<=0.7"])
    assert [place.told for place in places] == ["x=2", "x=3", "x=1"]
    assert [list(place.breaks) for place in places] == [[], ["accuracy<=0.7"], ["accuracy<=0.7"]]
    assert (places[2].runs, places[2].failed, places[2].p) == (2, 1, None)
    said = "\n".join(lines(places, "accuracy", found, ["accuracy", "seconds"]))
    assert "1 of 2 seeds, 1 failed; breaks accuracy<=0.7" in said and "seconds" in said.splitlines()[0]


def test_several_comparisons_are_corrected():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])  # 3 x 0.01, 2 x 0.03, then no less than that
    assert holm([]) == []
    assert unpaired((0.5, 0.4, 0.6), (0.5, 0.45, 0.55)) == pytest.approx(1.0)


def entry(tmp_path, number, value, seed=0, said="x=1", correct=None, seconds=1.0):
    folder = tmp_path / str(number)
    folder.mkdir()
    config = {"seed": seed, "data": {"path": "a"}, "task": {"name": "t"}}
    lines = [{"row": row, "scores": {"correct": one}} for row, one in enumerate(correct or [])]
    (folder / "predictions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    job = Job(number, number, f"id{number}", [said], [said, f"seed={seed}"], "", config)
    return Entry(
        job, "done", folder, seconds=seconds, metrics={"accuracy": Estimate(value, value - 0.1, value + 0.1, 20)}
    )


def test_runs_with_several_seeds_are_one_place(tmp_path, monkeypatch):
    monkeypatch.setattr("runner.sweep.board._rows", lambda *_: None)
    found = [entry(tmp_path, at, value, seed, said) for at, (value, seed, said) in enumerate(
        [(0.6, 0, "x=1"), (0.8, 1, "x=1"), (0.7, 0, "x=2"), (0.5, 1, "x=2")])]  # fmt: skip
    first, second = leaderboard(found, "accuracy", larger=True)
    assert (first.told, first.value, first.firsts) == ("x=1", pytest.approx(0.7), 1)
    assert (second.told, second.value, second.firsts) == ("x=2", pytest.approx(0.6), 1)
    half = math.hypot(
        12.71 * 0.1414213562 / 2**0.5, 0.1
    )  # Student's t with one degree of freedom, and that of the runs
    assert (first.low, first.high) == (pytest.approx(0.7 - half), pytest.approx(0.7 + half))


def test_of_numbers_to_be_small_the_smallest_is_first(tmp_path, monkeypatch):
    monkeypatch.setattr("runner.sweep.board._rows", lambda *_: None)
    found = [entry(tmp_path, at, value, said=f"x={at}") for at, value in enumerate([0.6, 0.2, 0.4])]
    assert [place.value for place in leaderboard(found, "accuracy", larger=False)] == [0.2, 0.4, 0.6]


def test_the_files_of_a_sweep_hold_every_job(cli, common):
    import pyarrow.parquet as pq

    ended = cli("-m", *common, "decode.top_k=5,7,9", "decode.do_sample=true", "decode.temperature=0.5,2")
    assert ended.code == 0, ended.err
    (folder,) = cli.home.glob("outputs/sweeps/*")
    with (folder / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    table = pq.read_table(folder / "sweep.parquet").to_pylist()
    assert [row["decode.top_k"] for row in rows] == ["5", "5", "7", "7", "9", "9"]
    assert sorted(int(row["rank"]) for row in rows) == [1, 2, 3, 4, 5, 6]
    for row, other in zip(rows, table, strict=True):
        metrics = json.loads((cli.home / row["directory"] / "metrics.json").read_text())
        assert float(row["well_formed"]) == other["well_formed"] == metrics["well_formed"]["value"]
        assert row["state"] == other["state"] == "done"


DRAWN = {
    "0.0008060183292353007": "0.000806", "8.237074995534228e-05": "8.237e-05", "0.25": "0.25",
    "1.23456789x": "1.23456789x", "": "",
}  # fmt: skip


@pytest.mark.parametrize("value", DRAWN)
def test_numbers_that_were_drawn_are_shown_in_four_digits(value):
    assert drawn(value) == DRAWN[value]
