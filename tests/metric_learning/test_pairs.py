from itertools import combinations

import numpy as np
import pytest

from wherewhen.metric_learning.pairs import Pairs, similar_and_dissimilar


@pytest.mark.parametrize("across", [False, True])
def test_against_a_loop_over_pairs(across):
    generator = np.random.default_rng(0)
    X, person, camera = generator.normal(size=(18, 3)), np.arange(18) % 5, np.arange(18) // 7
    expected = {True: [], False: []}
    for i, j in combinations(range(18), 2):
        if not across or camera[i] != camera[j]:
            expected[bool(person[i] == person[j])].append(X[i] - X[j])
    found = similar_and_dissimilar(X, person, camera if across else None)
    for pairs, kind in zip(found, (True, False), strict=True):
        assert pairs.count == len(expected[kind])
        plain = sum(np.outer(d, d) for d in expected[kind])
        np.testing.assert_allclose(pairs.scatter, plain, rtol=1e-9, atol=1e-9)


def test_a_covariance_is_divided_by_the_number_of_pairs():
    pairs = Pairs.of(np.array([[1.0, 0.0], [1.0, 2.0]]))
    np.testing.assert_array_equal(pairs.covariance("similar"), [[1, 1], [1, 2]])
    with pytest.raises(ValueError, match="no dissimilar pairs: expected several persons"):
        (pairs - pairs).covariance("dissimilar")


def test_pairs_within_groups_against_a_loop():
    generator = np.random.default_rng(0)
    X, groups = generator.normal(size=(20, 4)) + 5, generator.integers(5, size=20)
    expected, count = np.zeros((4, 4)), 0
    for i, j in combinations(range(20), 2):
        if groups[i] == groups[j]:
            expected += np.outer(X[i] - X[j], X[i] - X[j])
            count += 1
    pairs = Pairs.within(X, groups)
    np.testing.assert_allclose(pairs.scatter, expected, rtol=1e-9, atol=1e-12)
    assert pairs.count == count
