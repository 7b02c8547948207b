"""Bases of the estimators: checks of training data, and Mahalanobis metrics as linear maps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d, validate_data


class MetricLearner(BaseEstimator, ABC):
    """Base of the estimators; a subclass implements `_fit`.

    Attributes
    ----------
    FITTED : mapping of str to str
        The fitted attributes that a file of metrics holds, and their axes: D for the features that
        come in, E for those that go out, "" for a whole number.
    n_features_in_ : int
        D.

    See Also
    --------
    MahalanobisMetric : The base of KISSME, LFDA and XQDA, with an example.
    """

    FITTED: ClassVar[Mapping[str, str]]

    def fit(self, X: ArrayLike, y: ArrayLike, cameras: ArrayLike | None = None) -> Self:
        """Learn from labelled vectors.

        Parameters
        ----------
        X : array_like [N, D]
            The vectors.
        y : array_like [N]
            The person of each.
        cameras : array_like [N], optional
            The camera of each. Only pairs across cameras are then used, as in a test (KISSME, XQDA,
            RankSVM).

        Returns
        -------
        MetricLearner
            This estimator.

        Raises
        ------
        ValueError
            If a parameter is out of range, shapes do not fit, there is one person only, or the
            samples do not suffice; the message says which it is.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        persons, person = np.unique(y, return_inverse=True)
        if len(persons) < 2:
            raise ValueError(
                f"{type(self).__name__} learns to tell persons apart: expected 2 classes or more, "
                "got 1 class"
            )
        camera = None
        if cameras is not None:
            cameras = column_or_1d(np.asarray(cameras))
            if len(cameras) != len(X):
                raise ValueError(
                    f"cameras has {len(cameras)} entries: expected {len(X)}, one a sample"
                )
            camera = np.unique(cameras, return_inverse=True)[1]
        self._fit(X, person, camera)
        return self

    @abstractmethod
    def _fit(self, X: np.ndarray, person: np.ndarray, camera: np.ndarray | None) -> None:
        """Set the fitted attributes from float64 [N, D], and persons and cameras from 0, [N]."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


class MahalanobisMetric(ClassNamePrefixFeaturesOutMixin, TransformerMixin, MetricLearner):
    """A metric (a - b)' M (a - b) with M = L' L, positive semidefinite by construction.

    A subclass sets `components_`. `get_metric`, `pair_distance`, `pair_score` and
    `get_mahalanobis_matrix` are as in metric-learn.

    Attributes
    ----------
    components_ : numpy.ndarray [E, D]
        L.

    See Also
    --------
    KISSME, LFDA, XQDA : Metrics of this kind.

    Examples
    --------
    >>> from wherewhen.metric_learning import LFDA
    >>> X = [[0.0, 9.0], [0.1, 0.0], [1.0, 5.0], [1.1, 8.0]]  # the second feature is noise
    >>> metric = LFDA(n_components=1).fit(X, ["p", "p", "q", "q"])
    >>> near, far = metric.pair_distance([[X[0], X[1]], [X[0], X[2]]])
    >>> bool(near < far)
    True
    """

    FITTED: ClassVar[Mapping[str, str]] = {"components_": "ED"}

    components_: np.ndarray

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Map vectors [N, D] to float64 [N, E], whose Euclidean distance is the metric."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return X @ self.components_.T

    def get_mahalanobis_matrix(self) -> np.ndarray:
        """Return M [D, D]."""
        check_is_fitted(self)
        return self.components_.T @ self.components_

    def get_metric(self) -> Callable[..., float]:
        """Return the distance as a function of two vectors.

        Returns
        -------
        callable
            ``metric(u [D], v [D], squared=False) -> float``. A later ``fit`` does not change it.
        """
        check_is_fitted(self)
        components = self.components_.copy()

        def metric(u: ArrayLike, v: ArrayLike, squared: bool = False) -> float:
            u, v = np.asarray(u, dtype=np.float64), np.asarray(v, dtype=np.float64)
            if not u.shape == v.shape == components.shape[1:]:
                raise ValueError(
                    f"vectors have shapes {u.shape} and {v.shape}: expected "
                    f"({components.shape[1]},) each"
                )
            mapped = components @ (u - v)
            return float(mapped @ mapped if squared else np.linalg.norm(mapped))

        return metric

    def pair_distance(self, pairs: ArrayLike) -> np.ndarray:
        """Compute the distances, float64 [P], of pairs of vectors [P, 2, D]."""
        check_is_fitted(self)
        pairs = check_array(pairs, dtype=np.float64, allow_nd=True, ensure_2d=False)
        if pairs.shape[1:] != (2, self.n_features_in_):
            raise ValueError(
                f"pairs have shape {pairs.shape}: expected [pairs, 2, {self.n_features_in_}]"
            )
        return np.linalg.norm((pairs[:, 0] - pairs[:, 1]) @ self.components_.T, axis=1)

    def pair_score(self, pairs: ArrayLike) -> np.ndarray:
        """Compute minus the distances of pairs of vectors: the higher, the more similar."""
        return -self.pair_distance(pairs)

    @property
    def _n_features_out(self) -> int:
        return self.components_.shape[0]
