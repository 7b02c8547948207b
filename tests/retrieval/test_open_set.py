import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from sklearn.metrics import roc_curve

from wherewhen.retrieval.open_set import equal_error_rate, true_positive_rates


def roc(genuine, impostor):
    same = np.repeat([1, 0], [len(genuine), len(impostor)])
    far = np.concatenate([genuine, impostor]).astype(float)
    return roc_curve(same, -far, drop_intermediate=False)[:2]


def test_by_hand():
    genuine, impostor = [1.0, 2.0, 6.0, 9.0], np.arange(3.0, 13.0)  # 3, 4, ... 12
    # one of ten may pass: 3 does, 4 may not
    assert true_positive_rates(genuine, impostor, (0.1, 0.4, 0.05)) == {0.1: 0.5, 0.4: 0.75}
    # up to 8 six of ten pass and one of four is refused; up to 5 three and two; 6 itself is 3.5/10
    assert equal_error_rate(genuine, impostor) == pytest.approx(1 / 3, abs=0.05)


def test_extremes():
    assert equal_error_rate([1, 2], [3, 4]) == 0.0
    assert equal_error_rate([3, 4], [1, 2]) == 1.0
    assert equal_error_rate([1, 1], [1, 1]) == 0.5
    assert true_positive_rates([1, 2], [3, 4], (0.5,)) == {0.5: 1.0}


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=15),
    st.lists(st.integers(0, 12), min_size=1, max_size=40),
)
def test_against_the_whole_curve(genuine, impostor):
    positives, found = roc(genuine, impostor)
    rates = true_positive_rates(genuine, impostor, (0.1, 0.3))
    for rate, value in rates.items():
        assert value == pytest.approx(found[positives <= rate + 1e-12].max())
    # walk along the curve, in its own length, to where false positives equal false negatives
    steps = np.arange(len(positives))
    gap = positives - (1 - found)
    place = brentq(lambda t: np.interp(t, steps, gap), 0, steps[-1], xtol=1e-12)
    assert equal_error_rate(genuine, impostor) == pytest.approx(
        np.interp(place, steps, positives), abs=1e-9
    )


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="genuine has shape"):
        equal_error_rate([], [1.0])
    with pytest.raises(ValueError, match="impostor has shape"):
        true_positive_rates([1.0], [[1.0]])
