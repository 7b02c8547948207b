import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherewhen.search.nearest import largest_norm, nearest, nearest_set, squared_distances


def plain(vectors, queries, count, rows=None):
    """Sort all distances, in float64."""
    rows = np.arange(len(vectors)) if rows is None else rows
    differences = queries[:, None].astype(np.float64) - vectors[rows].astype(np.float64)
    squared = (differences**2).sum(axis=2)
    order = np.argsort(squared, axis=1, kind="stable")[:, :count]
    return rows[order], np.take_along_axis(squared, order, 1)


def drawn(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_by_hand():
    vectors = np.array([[0, 0], [3, 4], [0, 0], [1, 0]], dtype=np.float32)
    rows, squared = nearest(vectors, vectors[[0, 1]], 3)
    assert rows.tolist() == [[0, 2, 3], [1, 3, 0]]
    assert squared.tolist() == [[0, 0, 1], [0, 20, 25]]


@pytest.mark.parametrize("queries", [1, 7, 8, 200])
@pytest.mark.parametrize("chosen", [False, True])
def test_as_a_sort_of_all_distances(queries, chosen):
    vectors, asked = drawn((5000, 16)), drawn((queries, 16), 1)
    rows = np.flatnonzero(np.random.default_rng(2).random(5000) < 0.3) if chosen else None
    found, squared = nearest(vectors, asked, 10, rows)
    expected, distances = plain(vectors, asked, 10, rows)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(squared, distances, rtol=1e-12)


def test_chosen_rows_in_several_blocks(monkeypatch):
    monkeypatch.setattr("wherewhen.search.nearest._BLOCK", 1000)
    vectors, asked, rows = drawn((5000, 16)), drawn((9, 16), 1), np.arange(3, 5000, 2)
    found, squared = nearest(vectors, asked, 10, rows)
    expected, distances = plain(vectors, asked, 10, rows)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(squared, distances, rtol=1e-12)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 3, 9, 40]),
    st.sampled_from([1e-25, 1e-3, 1.0, 1e15, 1e25]),
    st.sampled_from([0.0, 1e4]),
    st.integers(1, 400),
)
def test_many_ties_scales_and_offsets(seed, queries, scale, offset, count):
    """Whole numbers have many equal distances; float32 alone loses or overflows some of these."""
    generator = np.random.default_rng(seed)
    vectors = ((generator.integers(3, size=(400, 3)) + offset) * scale).astype(np.float32)
    asked = vectors[generator.integers(400, size=queries)]
    np.testing.assert_array_equal(
        nearest(vectors, asked, count)[0], plain(vectors, asked, count)[0]
    )
    near = nearest_set(vectors, asked, min(count, 399), largest_norm(vectors))
    np.testing.assert_array_equal(near, np.sort(plain(vectors, asked, min(count, 399))[0], axis=1))


def test_equal_to_the_bit_whatever_the_batch_and_the_threads():
    vectors, asked = drawn((30_000, 32)), drawn((600, 32), 1)
    rows, squared = nearest(vectors, asked, 10)
    before = faiss.omp_get_max_threads()
    for threads in (1, 3):
        faiss.omp_set_num_threads(threads)
        try:
            for part in (slice(0, 1), slice(3, 10), slice(0, 600)):
                again = nearest(vectors, asked[part], 10)
                np.testing.assert_array_equal(again[0], rows[part])
                np.testing.assert_array_equal(again[1], squared[part])
        finally:
            faiss.omp_set_num_threads(before)


def test_faiss_has_its_setting_back():
    before = faiss.cvar.distance_compute_blas_threshold
    nearest(drawn((100, 4)), drawn((20, 4)), 3)
    assert faiss.cvar.distance_compute_blas_threshold == before


def test_squared_distances_of_many_pairs(monkeypatch):
    vectors, asked = drawn((50, 16)), drawn((4, 16), 1)
    rows = np.tile(np.arange(50), (4, 1))
    expected = squared_distances(vectors, asked, rows)
    monkeypatch.setattr("wherewhen.search.nearest._BLOCK", 4 * 16 * 7)
    np.testing.assert_array_equal(squared_distances(vectors, asked, rows), expected)
    one = squared_distances(vectors, asked[2:3], np.array([[9]]))
    assert one[0, 0] == expected[2, 9]
