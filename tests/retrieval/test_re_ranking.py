import numpy as np
import pytest

from wherewhen.retrieval import re_ranking
from wherewhen.retrieval.distances import cosine, euclidean
from wherewhen.retrieval.re_ranking import re_rank


def plain(probes, gallery, distance, k1, k2, weight):
    """Re-rank with sets and loops, from the paper's definitions."""
    everyone = np.concatenate([probes, gallery])
    n = len(everyone)
    original = distance(everyone, everyone) ** 2
    original = original / original.max(axis=1, keepdims=True)

    def nearest(i, k):
        return sorted(range(n), key=lambda j: (original[i, j], j != i, j))[: k + 1]

    def reciprocal(i, k):
        return {j for j in nearest(i, k) if i in nearest(j, k)}

    described = np.zeros((n, n))
    for i in range(n):
        base = reciprocal(i, k1)
        wide = set(base)
        for j in base:
            half = reciprocal(j, round(k1 / 2))
            if len(half & base) * 3 > 2 * len(half):
                wide |= half
        total = sum(np.exp(-original[i, j]) for j in wide)
        for j in wide:
            described[i, j] = np.exp(-original[i, j]) / total
    shared = np.array(
        [np.mean([described[j] for j in nearest(i, k2 - 1)], axis=0) for i in range(n)]
    )
    result = np.empty((len(probes), len(gallery)))
    for i in range(len(probes)):
        for j in range(len(gallery)):
            a, b = shared[i], shared[len(probes) + j]
            jaccard = 1 - np.minimum(a, b).sum() / np.maximum(a, b).sum()
            result[i, j] = (1 - weight) * jaccard + weight * original[i, len(probes) + j]
    return result


def vectors(seed, persons=6):
    generator = np.random.default_rng(seed)
    means = generator.normal(size=(persons, 4))
    probes = means + 0.4 * generator.normal(size=(persons, 4))
    return probes, np.repeat(means, 3, axis=0) + 0.4 * generator.normal(size=(3 * persons, 4))


@pytest.mark.parametrize("distance", [euclidean, cosine])
@pytest.mark.parametrize(
    ("k1", "k2", "weight"), [(6, 3, 0.3), (5, 1, 0.0), (3, 8, 0.5), (40, 6, 0.3), (1, 1, 1.0)]
)
def test_against_sets_and_loops(distance, k1, k2, weight, monkeypatch):
    monkeypatch.setattr(re_ranking, "_BLOCK", 5)
    probes, gallery = vectors(k1)
    expected = plain(probes, gallery, distance, k1, k2, weight)
    found = re_rank(probes, gallery, distance, k1, k2, weight)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("copies", [2, 5, 8, 24])
def test_identical_vectors_stay_their_own_neighbours(copies):
    """More of them than k1 + 1, so that others fill a list of neighbours by order."""
    probes, gallery = vectors(0)
    probes[1:3] = gallery[:copies] = probes[0]
    found = re_rank(probes, gallery, k1=4, k2=2)
    np.testing.assert_allclose(found, plain(probes, gallery, euclidean, 4, 2, 0.3), atol=1e-12)
    assert np.isfinite(found).all()


def test_a_search_among_identical_vectors_is_a_tie():
    found = re_rank(np.ones((30, 3)), np.ones((40, 3)))
    assert found.shape == (30, 40)
    assert np.isfinite(found).all()
    assert found.min() >= 0


def test_neighbours_that_are_shared_bring_a_match_nearer():
    """x's probe is a little nearer to y, but all of x's gallery has x's probe for a neighbour."""
    gallery = np.array([[0.0, 0.0], [0.3, 0.0], [0.6, 0.0], [2.1, 0.0], [3.0, 1.0], [3.0, -1.0]])
    probe = np.array([[1.4, 0.0]])
    assert euclidean(probe, gallery)[0].argmin() == 3
    assert re_rank(probe, gallery, k1=3, k2=1, weight=0.0)[0].argmin() < 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k1": 0}, "k1 is 0"),
        ({"k2": 0}, "k2 is 0"),
        ({"weight": 2}, "lambda is 2"),
        ({"distance": lambda a, b: -euclidean(a, b)}, r"the distance is -\d.* none below 0"),
    ],
)
def test_errors_name_what_is_wrong(options, message):
    with pytest.raises(ValueError, match=message):
        re_rank(*vectors(0), **options)
