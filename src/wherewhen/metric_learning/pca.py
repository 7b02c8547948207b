"""PCA before a metric: at most as many dimensions as the samples allow."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from numbers import Integral
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.utils.validation import check_is_fitted, validate_data

from wherewhen.metric_learning.matrices import check_number

_EXACT = 1000
"""Up to this many samples or dimensions PCA is exact: a second or so. Beyond, it is randomised."""


class CappedPCA(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """PCA whose dimension is reduced, with a warning, to what the samples allow.

    Parameters
    ----------
    dimension : int
        The dimensions wanted (150 in Section V-C). n samples span n - 1 dimensions about their
        mean, and vectors have D: the smallest of the three is used.
    random_state : int or None
        The seed of a randomised decomposition (more than 1,000 samples and dimensions).

    Attributes
    ----------
    components_ : numpy.ndarray [E, D]
        The principal components, not whitened.
    mean_ : numpy.ndarray [D]
        The mean.
    n_features_in_ : int
        D.

    See Also
    --------
    sklearn.decomposition.PCA : Does the work.

    Examples
    --------
    >>> CappedPCA(dimension=1).fit_transform([[0.0, 0.0], [2.0, 0.0]]).ravel().round(6).tolist()
    [-1.0, 1.0]
    """

    FITTED: ClassVar[Mapping[str, str]] = {"components_": "ED", "mean_": "D"}

    def __init__(self, dimension: int = 150, random_state: int | None = 0):
        self.dimension = dimension
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Compute the principal components of vectors [N, D]; `y` is not used."""
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        check_number(self.dimension, "PCA dimension", Integral, min_val=1)
        samples, dimensions = X.shape
        kept = min(self.dimension, samples - 1, dimensions)
        if kept < self.dimension:
            warnings.warn(
                f"PCA to {self.dimension} dimensions is not possible with {samples} samples of "
                f"{dimensions} dimensions: {kept} are used",
                UserWarning,
                stacklevel=2,
            )
        # The solver depends on the shape alone, so that equal data give equal results.
        solver = "full" if min(X.shape) <= _EXACT else "randomized"
        pca = PCA(kept, svd_solver=solver, random_state=self.random_state).fit(X)
        self.components_, self.mean_ = pca.components_, pca.mean_
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Project vectors [N, D] on the principal components, float64 [N, E]."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return X @ self.components_.T - self.mean_[None] @ self.components_.T

    @property
    def _n_features_out(self) -> int:
        return self.components_.shape[0]
