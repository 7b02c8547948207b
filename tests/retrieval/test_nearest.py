import numpy as np
import pytest

from wherewhen.retrieval.nearest import nearest


def test_by_hand():
    assert nearest(np.array([3.0, 1.0, 2.0, 1.0]), 2).tolist() == [1, 3]
    assert nearest(np.array([3.0, 1.0, 2.0, 1.0])).tolist() == [1, 3, 2, 0]


@pytest.mark.parametrize("count", [1, 3, 8, 19, 20, 50, None])
def test_the_start_of_a_stable_sort(count):
    distances = np.random.default_rng(0).integers(5, size=20).astype(float)
    expected = sorted(range(20), key=lambda place: (distances[place], place))[:count]
    assert nearest(distances, count).tolist() == expected
