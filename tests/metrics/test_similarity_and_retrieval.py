import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import ndcg_score

from runner.errors import DataError
from runner.metrics.retrieval import Retrieval, at_random
from runner.metrics.similarity import Similarity


def test_similarities_are_compared_as_scipy_does():
    random = np.random.default_rng(1)
    gold = random.integers(0, 6, 100)
    cosines = np.tanh(gold / 5 + random.normal(size=100) / 3)
    metric = Similarity()
    rows = [
        metric.score({"score": float(one)}, {"similarity": c}) for one, c in zip(gold, cosines.tolist(), strict=True)
    ]
    found = metric.summarise(rows)
    assert found["spearman"].value == pytest.approx(stats.spearmanr(gold, cosines)[0])
    assert found["pearson"].value == pytest.approx(stats.pearsonr(gold, cosines)[0])
    assert found["spearman"].baselines == {"random": 0.0}


def test_a_gold_similarity_that_is_no_number_is_told():
    with pytest.raises(DataError, match="^s:2: score must be a number, got 'high': correct it or leave it out$"):
        Similarity().score({"place": "s:2", "score": "high"}, {"similarity": 0.5})
    assert Similarity().score({}, {"similarity": 0.5}) == {} == Similarity().summarise([{}])


def scores(rows):
    """Of (query, document, vector of the query, vector of the document)."""
    metric = Retrieval()
    return [metric.score({"query": q, "document": d}, {"query": u, "document": v}) for q, d, u, v in rows]


def test_ranks_by_hand():
    rows = [
        ("q1", "d1", [1.0, 0.0], [1.0, 0.0]),  # nearest: rank 1
        ("q2", "d2", [0.0, 1.0], [0.6, 0.8]),  # after d3: rank 2
        ("q3", "d3", [1.0, 0.1], [0.0, 1.0]),  # after both others: rank 3
    ]
    found = Retrieval().summarise(scores(rows))
    assert found["mrr"].value == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert found["recall_1"].value == pytest.approx(1 / 3) and found["recall_5"].value == 1.0
    assert found["ndcg_10"].value == pytest.approx((1 + 1 / math.log2(3) + 1 / 2) / 3)
    assert found["recall_1"].baselines == pytest.approx({"random": 1 / 3})
    assert found["mrr"].n == 3 and found.keys() == Retrieval().numbers().keys()


def test_a_network_whose_vectors_are_all_the_same_finds_nothing():
    found = Retrieval().summarise(scores([(f"q{at}", f"d{at}", [1.0], [1.0]) for at in range(20)]))
    assert found["mrr"].value == pytest.approx(1 / 20) and found["recall_10"].value == 0.0


def test_several_documents_of_a_query_all_count_as_scikit_learn_counts_them():
    random = np.random.default_rng(2)
    queries, documents = random.normal(size=(40, 8)), random.normal(size=(120, 8))
    pairs = [(int(random.integers(40)), at) for at in range(120)] + [
        (at, int(random.integers(120))) for at in range(40)
    ]
    found = Retrieval().summarise(
        scores([(f"q{q}", f"d{d}", queries[q].tolist(), documents[d].tolist()) for q, d in pairs])
    )
    relevant = np.zeros((40, 120))
    for q, d in pairs:
        relevant[q, d] = 1
    near = queries @ documents.T
    order = np.take_along_axis(relevant, np.argsort(-near, axis=1), axis=1)
    assert found["ndcg_10"].value == pytest.approx(ndcg_score(relevant, near, k=10), abs=1e-6)
    assert found["mrr"].value == pytest.approx((1 / (order.argmax(axis=1) + 1)).mean(), abs=1e-6)
    for cut in (1, 5, 10):
        expected = (order[:, :cut].sum(axis=1) / order.sum(axis=1)).mean()
        assert found[f"recall_{cut}"].value == pytest.approx(expected, abs=1e-6)
    assert found["mrr"].n == 40


def test_chance_is_what_random_orders_come_to():
    random = np.random.default_rng(3)
    relevant = np.zeros((20_000, 15))
    relevant[:, :3] = 1
    order = random.permuted(relevant, axis=1)
    gain = (order[:, :10] / np.log2(np.arange(2, 12))).sum(axis=1) / (1 / np.log2(np.arange(2, 5))).sum()
    found = at_random([3], 15)
    assert found["mrr"] == pytest.approx((1 / (order.argmax(axis=1) + 1)).mean(), abs=0.01)
    assert found["ndcg_10"] == pytest.approx(gain.mean(), abs=0.01)
    assert found["recall_5"] == pytest.approx(1 / 3)


def test_rows_without_texts_or_vectors_are_not_scored():
    assert Retrieval().score({"query": "q"}, {"query": [1.0], "document": [1.0]}) == {}
    assert Retrieval().score({"query": "q", "document": "d"}, {"similarity": 1.0}) == {} == Retrieval().summarise([{}])
