import numpy as np
import pytest

from wherewhen.retrieval.distances import DISTANCES, cosine, euclidean

PROBES = np.array([[0.0, 0.0], [3.0, 4.0]])
GALLERY = np.array([[3.0, 4.0], [6.0, 8.0], [-4.0, 3.0]])


def test_euclidean_by_hand():
    np.testing.assert_array_equal(euclidean(PROBES, GALLERY), [[5, 10, 5], [0, 5, np.sqrt(50)]])


def test_cosine_by_hand():
    np.testing.assert_allclose(cosine(PROBES[1:], GALLERY), [[0, 0, 1]], atol=1e-15)
    np.testing.assert_allclose(cosine([[1.0, 0.0]], [[-2.0, 0.0], [1.0, 1.0]]), [[2, 1 - 0.5**0.5]])


@pytest.mark.parametrize("distance", DISTANCES.values())
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_float64_whatever_comes_in(distance, dtype):
    assert distance(GALLERY.astype(dtype), GALLERY.astype(dtype)).dtype == np.float64


@pytest.mark.parametrize("distance", DISTANCES.values())
def test_equal_vectors_are_exactly_zero_apart(distance):
    vectors = np.random.default_rng(0).normal(size=(5, 40)) + 1e6
    assert (np.diag(distance(vectors, vectors)) == 0).all()


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="zero"):
        cosine(PROBES, GALLERY)
    with pytest.raises(ValueError, match="2 dimensions, gallery has 3"):
        euclidean(PROBES, np.ones((2, 3)))
    with pytest.raises(ValueError, match="gallery: 1 vectors hold NaN or infinity, first row 1"):
        euclidean(PROBES, [[1.0, 2.0], [np.nan, 0.0]])
    with pytest.raises(ValueError, match="shape"):
        euclidean(PROBES[0], GALLERY)
