import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherewhen.retrieval.average_precision import mean_precision, trapezoid


def plain_trapezoid(hits):
    """Walk down the ranking as the MARS authors' Matlab does."""
    total, area, old_recall, old_precision, found = sum(hits), 0.0, 0.0, 1.0, 0
    for place, hit in enumerate(hits):
        found += hit
        recall, precision = found / total, found / (place + 1)
        area += (recall - old_recall) * (old_precision + precision) / 2
        old_recall, old_precision = recall, precision
    return area


def plain_mean_precision(hits):
    precisions = [sum(hits[: place + 1]) / (place + 1) for place, hit in enumerate(hits) if hit]
    return sum(precisions) / len(precisions)


def test_by_hand():
    ranks = np.array([1, 3])
    assert mean_precision(ranks) == pytest.approx((1 + 2 / 3) / 2)
    assert trapezoid(ranks) == pytest.approx(((1 + 1) / 2 + (1 / 2 + 2 / 3) / 2) / 2)
    assert mean_precision(np.array([4])) == 0.25
    assert trapezoid(np.array([4])) == 0.125
    assert trapezoid(np.array([1, 2])) == 1.0


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=30).filter(any))
def test_against_a_walk_down_the_ranking(hits):
    ranks = np.flatnonzero(hits) + 1
    assert mean_precision(ranks) == pytest.approx(plain_mean_precision(hits), rel=1e-12)
    assert trapezoid(ranks) == pytest.approx(plain_trapezoid(hits), rel=1e-12)
