"""An interval of 95 % holds the truth in 93 to 97 of 100 experiments of a realistic size."""

import math

import numpy as np
import pytest

from runner.metrics.bootstrap import Sums
from runner.metrics.calibration import calibration_error
from runner.metrics.confusion import agreement
from runner.metrics.correlation import correlations
from runner.metrics.estimate import Ratio
from runner.metrics.ranking import auroc

EXPERIMENTS = 1000


def covered(estimates, truth):
    return 0.93 <= np.mean([estimate.low <= truth <= estimate.high for estimate in estimates]) <= 0.97


def test_of_f1_and_the_matthews_correlation():
    shares = np.array([[0.35, 0.07, 0.03], [0.06, 0.22, 0.04], [0.05, 0.05, 0.13]])
    gold, guess, right = shares.sum(axis=1), shares.sum(axis=0), np.diag(shares)
    random = np.random.default_rng(1)
    draws = (random.choice(9, 300, p=shares.ravel()) for _ in range(EXPERIMENTS))
    found = [agreement(drawn // 3, drawn % 3, 3) for drawn in draws]
    assert covered([one["macro_f1"] for one in found], np.mean(2 * right / (gold + guess)))
    below = math.sqrt((1 - (gold**2).sum()) * (1 - (guess**2).sum()))
    assert covered([one["mcc"] for one in found], (right.sum() - (gold * guess).sum()) / below)


def test_of_the_area_under_the_curve():
    random = np.random.default_rng(2)
    found = []
    for _ in range(EXPERIMENTS):
        positive = random.random(300) < 0.3
        found.append(auroc([(random.normal(size=300) + 1.2 * positive, positive)]))
    assert covered(found, (1 + math.erf(1.2 / 2)) / 2)  # P(N(1.2, 2) > 0)


def test_of_the_mean_area_of_several_classes():
    random = np.random.default_rng(3)
    found = []
    for _ in range(EXPERIMENTS):
        gold = random.integers(0, 3, 300)
        noise = random.normal(size=300)  # shared, so that the areas depend on each other
        problems = [(0.6 * noise + 0.8 * random.normal(size=300) + 1.2 * (gold == at), gold == at) for at in range(3)]
        found.append(auroc(problems))
    assert covered(found, (1 + math.erf(1.2 / 2)) / 2)


def test_of_correlations():
    random = np.random.default_rng(4)
    found = []
    for _ in range(EXPERIMENTS):
        x, noise = random.normal(size=(2, 200))
        found.append(correlations(x, 0.8 * x + 0.6 * noise))
    assert covered([one["pearson"] for one in found], 0.8)
    assert covered([one["spearman"] for one in found], 6 / math.pi * math.asin(0.4))  # Pearson 1907, normal numbers


def test_of_correlations_of_ratings_in_steps():
    random = np.random.default_rng(5)
    found = []
    for _ in range(EXPERIMENTS):
        rating = random.integers(0, 6, 200)
        found.append(correlations(rating, rating + random.uniform(-3, 3, 200)))
    variance = 35 / 12  # of a die
    assert covered([one["pearson"] for one in found], math.sqrt(variance / (variance + 3)))


def test_of_the_calibration_error():
    random = np.random.default_rng(6)
    found, excess = [], 0.1
    for _ in range(EXPERIMENTS):
        confidence = random.choice((0.55, 0.7, 0.8, 0.9, 0.97), 400)
        found.append(calibration_error(confidence, random.random(400) < confidence - excess))
    assert covered(found, excess)


def test_of_shares_whose_rows_hold_several_things():
    random = np.random.default_rng(7)
    found = []
    for _ in range(EXPERIMENTS):
        ratio = Ratio()
        sizes = random.integers(1, 6, 300)
        for hits, size in zip(random.binomial(sizes, random.beta(8, 2, 300)), sizes, strict=True):
            ratio.add(float(hits), float(size))
        found.append(ratio.share())
    assert covered(found, 0.8)


def test_of_functions_of_sums():
    random = np.random.default_rng(8)
    found = []
    for _ in range(EXPERIMENTS):
        sums = Sums(2)
        for pair in random.exponential(size=(250, 2)):
            sums.add(pair)
        found.append(sums.estimate(lambda drawn: np.log(drawn[:, 0] / drawn[:, 1])))
    assert covered(found, 0.0)


def test_groups_of_examples_give_the_interval_of_the_examples():
    values = np.random.default_rng(9).normal(5, 1, size=40_000)
    sums = Sums(2)
    for value in values:
        sums.add((value, 1.0))
    found = sums.estimate(lambda drawn: drawn[:, 0] / drawn[:, 1])
    assert len(sums._sums) == 2 * 10_000
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 / math.sqrt(40_000), rel=0.1)
