"""What KISSME, LFDA and XQDA have in common: a linear map whose Euclidean distance is the metric.

A subclass learns the map, `components_`, in its ``fit``; the rest of scikit-learn's shape is here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data


class MahalanobisMetric(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A metric (a - b)' M (a - b) with M = L' L, positive semidefinite by construction.

    Attributes
    ----------
    components_ : numpy.ndarray [E, D]
        L, set by a subclass's ``fit``.
    n_features_in_ : int
        D.
    """

    components_: np.ndarray

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Map vectors so that the metric becomes the Euclidean distance.

        Parameters
        ----------
        X : array_like [N, D]
            The vectors.

        Returns
        -------
        numpy.ndarray, float64 [N, E]
            The mapped vectors.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return X @ self.components_.T

    def get_mahalanobis_matrix(self) -> np.ndarray:
        """Return M of the metric (a - b)' M (a - b).

        Returns
        -------
        numpy.ndarray [D, D]
            M, symmetric and positive semidefinite.
        """
        check_is_fitted(self)
        return self.components_.T @ self.components_

    def _labelled(self, X: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Check vectors and persons; return the vectors, their mean removed, and persons from 0.

        Metrics are made of differences, which a common mean does not touch; without it they keep
        more digits.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        persons, person = np.unique(y, return_inverse=True)
        if len(persons) < 2:
            raise ValueError(
                f"{type(self).__name__} learns to tell persons apart: expected 2 classes or more, "
                "got 1 class"
            )
        return X - X.mean(axis=0), person

    @property
    def _n_features_out(self) -> int:
        return self.components_.shape[0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
