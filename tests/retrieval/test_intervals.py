import numpy as np
import pytest

from wherewhen.retrieval.intervals import bootstrap_means


def test_as_wide_as_theory_says():
    values = np.random.default_rng(0).random((400, 2)) < [0.5, 0.9]
    low, high = bootstrap_means(values, resamples=4000)
    mean, deviation = values.mean(axis=0), values.std(axis=0) / np.sqrt(400)
    np.testing.assert_allclose(low, mean - 1.96 * deviation, atol=0.004)
    np.testing.assert_allclose(high, mean + 1.96 * deviation, atol=0.004)


def test_by_hand():
    # Two probes, 0 and 1: of four equally likely resamples two have the mean 1/2.
    low, high = bootstrap_means([[0.0], [1.0]], confidence=0.4, resamples=2000)
    assert (low.item(), high.item()) == (0.5, 0.5)
    low, high = bootstrap_means([[0.0], [1.0]], confidence=0.9, resamples=2000)
    assert (low.item(), high.item()) == (0.0, 1.0)


def test_seeded_and_shared_between_measures():
    values = np.random.default_rng(0).random((50, 1))
    first = bootstrap_means(np.hstack([values, values]), seed=3)
    np.testing.assert_array_equal(first, bootstrap_means(np.hstack([values, values]), seed=3))
    assert first[0][0] == first[0][1]
    assert first[0][0] != bootstrap_means(values, seed=4)[0][0]


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="shape"):
        bootstrap_means([])
    with pytest.raises(ValueError, match="confidence is 95"):
        bootstrap_means([[1.0]], confidence=95)
    with pytest.raises(ValueError, match="resamples is 0"):
        bootstrap_means([[1.0]], resamples=0)
