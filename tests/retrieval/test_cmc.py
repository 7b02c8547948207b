import numpy as np
import pytest

from wherewhen.retrieval.cmc import cmc


def test_by_hand():
    np.testing.assert_array_equal(cmc([1, 3, 1, 7], 5), [0.5, 0.5, 0.75, 0.75, 0.75])


def test_beyond_the_gallery_the_curve_stays():
    np.testing.assert_array_equal(cmc([1, 2], 4), [0.5, 1, 1, 1])


def test_errors():
    with pytest.raises(ValueError, match="at least one probe"):
        cmc([], 5)
    with pytest.raises(ValueError, match="expected ranks from 1"):
        cmc([0, 1], 5)
    with pytest.raises(ValueError, match="max_rank is 0"):
        cmc([1], 0)
