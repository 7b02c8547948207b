"""Pooling against averages worked out by hand."""

import numpy as np
import pytest

from wherewhen.features.pooling import mean_pooled, pool_windows, row_pooled
from wherewhen.tracklets.cubes import ArrayCubes
from wherewhen.tracklets.windows import Window


@pytest.fixture
def cubes():
    # two frames, 2 x 2 cells, 2 channels; the value tells frame, row, column and channel
    t, r, c, d = np.meshgrid(*map(np.arange, (2, 2, 2, 2)), indexing="ij")
    return (1000 * t + 100 * r + 10 * c + d).astype(np.float16)


def test_mean_over_time_and_space(cubes):
    pooled = mean_pooled(cubes)
    assert pooled.dtype == np.float32
    np.testing.assert_array_equal(pooled, [555, 556])


def test_rows_are_kept_top_first(cubes):
    pooled = row_pooled(cubes)
    assert pooled.dtype == np.float32
    np.testing.assert_array_equal(pooled, [505, 506, 605, 606])


def test_float16_sums_do_not_overflow():
    assert mean_pooled(np.full((100, 7, 7, 3), 60_000, np.float16)).max() == pytest.approx(60_000)


def test_windows_are_read_once_in_order(cubes):
    asked = []

    class Noting(ArrayCubes):
        def _fill(self, window, out):
            asked.append(window)
            super()._fill(window, out)

    windows = [Window("b", 1, 2), Window("a", 0, 1)]
    means, rows = pool_windows(Noting(dict.fromkeys("ab", cubes)), windows)
    assert asked == windows
    np.testing.assert_array_equal(means, [[1055, 1056], [55, 56]])
    assert [len(row) for row in rows] == [4, 4]


@pytest.mark.parametrize("shape", [(2, 2, 2), (0, 2, 2, 2)])
def test_wrong_shapes_are_refused(shape):
    for pooled in (mean_pooled, row_pooled):
        with pytest.raises(ValueError, match=r"expected shape \[T, H, W, D\], T > 0, got \["):
            pooled(np.zeros(shape))


def test_rows_are_averaged_by_attention():
    cubes = np.arange(8, dtype=np.float16).reshape(2, 2, 2, 1)
    attention = np.zeros((2, 2, 2))
    attention[0, 0, 1] = attention[1, 0, 1] = 0.2  # of the upper row 1 and 5
    attention[1, 1, 0], attention[1, 1, 1] = 0.6, 0.2  # of the lower one 6 and 7
    np.testing.assert_allclose(row_pooled(cubes, attention), [3.0, 6.25])


def test_where_attention_is_even_or_nowhere_rows_are_averaged_evenly(cubes):
    for even in (0.25, 0.0):
        attention = np.full(cubes.shape[:3], even)
        np.testing.assert_allclose(row_pooled(cubes, attention), row_pooled(cubes), rtol=1e-6)


def test_attention_of_another_shape_is_refused(cubes):
    with pytest.raises(ValueError, match=r"attention: expected shape \[.*\], got \[1, 2, 2\]"):
        row_pooled(cubes, np.ones((1, 2, 2)))
