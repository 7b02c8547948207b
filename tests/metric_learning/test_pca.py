import warnings

import numpy as np
import pytest
from sklearn.decomposition import PCA

from wherewhen.metric_learning.pca import CappedPCA


@pytest.mark.parametrize("shape", [(40, 12), (1001, 1002)])
def test_it_is_scikit_learns_pca_to_the_last_bit(shape):
    X = np.random.default_rng(0).normal(size=shape) + 3
    solver = "full" if shape[0] < 1000 else "randomized"
    expected = PCA(5, svd_solver=solver, random_state=0).fit(X).transform(X)
    np.testing.assert_array_equal(CappedPCA(5).fit(X).transform(X), expected)


def test_pca_keeps_the_distances_when_nothing_is_cut():
    X = np.random.default_rng(0).normal(size=(12, 50))
    projected = CappedPCA(11).fit(X).transform(X)
    assert np.linalg.norm(projected[0] - projected[5]) == pytest.approx(
        np.linalg.norm(X[0] - X[5]), rel=1e-9
    )


def test_the_dimension_is_capped_with_a_warning():
    X = np.random.default_rng(0).normal(size=(32, 40))
    for vectors, kept in ((X, 31), (X[:, :30], 30)):
        with pytest.warns(UserWarning, match=f"32 samples of .* dimensions: {kept} are used"):
            assert CappedPCA(35).fit(vectors).components_.shape[0] == kept
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CappedPCA(31).fit(X)


def test_a_dimension_below_one_is_named():
    with pytest.raises(ValueError, match="PCA dimension == 0, must be >= 1"):
        CappedPCA(0).fit(np.eye(3))
