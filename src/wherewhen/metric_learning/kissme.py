"""KISSME: a Mahalanobis metric from the covariances of similar and dissimilar pairs.

M. Koestinger, M. Hirzer, P. Wohlhart, P. M. Roth, H. Bischof: Large Scale Metric Learning from
Equivalence Constraints. CVPR 2012. In the paper of this project: Section V-C, after PCA.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from sklearn.utils.validation import column_or_1d, validate_data

from wherewhen.metric_learning.base import MahalanobisMetric
from wherewhen.metric_learning.matrices import components_of, project_semidefinite, shrink
from wherewhen.metric_learning.pairs import Pairs, similar_and_dissimilar

_ROUNDING = 1e-25
"""Scatter of equal vectors after rounding, relative to that between persons."""


class KISSME(MahalanobisMetric):
    """Keep-it-simple-and-straightforward metric: M = inv(C_similar) - w inv(C_dissimilar).

    The covariances are those of the differences of pairs, without removal of a mean.

    Parameters
    ----------
    dissimilar_weight : float
        w, the weight of the dissimilar pairs' term; 1 as published.
    shrinkage, shrinkage_scale
        s and n of `matrices.shrink`, applied to both covariances: few pairs make them singular
        (decision 28). A large s no longer suppresses the directions in which views differ.
    projection : {"clip", "mars"}
        How M is made positive semidefinite: see `matrices.project_semidefinite`.

    Attributes
    ----------
    components_ : numpy.ndarray [D, D]
        L with L' L = M.
    similar_pairs_, dissimilar_pairs_ : int
        The numbers of pairs of the covariances.
    n_features_in_ : int
        D.

    See Also
    --------
    XQDA : Learns a subspace, too.
    LFDA : Learns from neighbours of a person.

    Examples
    --------
    >>> X = [[0.0, 1.0], [0.2, 0.1], [3.0, 0.8], [3.1, 0.2]]  # the second feature is noise
    >>> M = KISSME().fit(X, ["p", "p", "q", "q"]).get_mahalanobis_matrix()
    >>> bool(M[0, 0] > M[1, 1])
    True
    """

    FITTED: ClassVar[Mapping[str, str]] = {
        "components_": "ED",
        "similar_pairs_": "",
        "dissimilar_pairs_": "",
    }

    def __init__(
        self,
        dissimilar_weight: float = 1.0,
        shrinkage: float = 0.001,
        shrinkage_scale: str = "dimensions",
        projection: str = "clip",
    ):
        self.dissimilar_weight = dissimilar_weight
        self.shrinkage = shrinkage
        self.shrinkage_scale = shrinkage_scale
        self.projection = projection

    def _fit(self, X: np.ndarray, person: np.ndarray, camera: np.ndarray | None) -> None:
        self._learn(*similar_and_dissimilar(X, person, camera), samples=len(X))

    def fit_pairs(
        self, X: ArrayLike, left: ArrayLike, right: ArrayLike, similar: ArrayLike
    ) -> Self:
        """Learn from given pairs.

        Parameters
        ----------
        X : array_like [N, D]
            The vectors.
        left, right : array_like of int [P]
            The rows of X that make a pair.
        similar : array_like of bool or int [P]
            Whether they show the same person: True and False, 1 and 0, or 1 and -1 (metric-learn).

        Returns
        -------
        KISSME
            This estimator.

        Raises
        ------
        ValueError
            If lengths differ, a row does not exist, `similar` has other values, or as for `fit`.
        """
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        left, right, similar = (column_or_1d(np.asarray(part)) for part in (left, right, similar))
        if not len(left) == len(right) == len(similar):
            raise ValueError(
                f"left, right and similar have {len(left)}, {len(right)} and {len(similar)} "
                "entries: expected one each for every pair"
            )
        for name, rows in (("left", left), ("right", right)):
            if rows.dtype.kind not in "iu" or not np.isin(rows, np.arange(len(X))).all():
                raise ValueError(
                    f"{name} holds no rows of X: expected integers from 0 to {len(X) - 1}"
                )
        if not (set(similar.tolist()) <= {0, 1} or set(similar.tolist()) <= {-1, 1}):
            raise ValueError(
                f"similar holds {np.unique(similar)[:5].tolist()}: expected True and False, 1 and "
                "0, or 1 and -1"
            )
        similar = similar == 1
        differences = X[left] - X[right]
        self._learn(
            Pairs.of(differences[similar]),
            Pairs.of(differences[~similar]),
            samples=len(np.union1d(left, right)),
        )
        return self

    def _learn(self, similar: Pairs, dissimilar: Pairs, samples: int) -> None:
        within, between = similar.covariance("similar"), dissimilar.covariance("dissimilar")
        if np.trace(within) <= _ROUNDING * np.trace(between):
            raise ValueError(
                "KISSME finds no scatter within persons: all similar pairs are of equal vectors. "
                "Expected a person with different samples; use several clips a tracklet"
            )
        inverses = [
            _inverse(shrink(C, self.shrinkage, self.shrinkage_scale, samples), name)
            for name, C in (("similar", within), ("dissimilar", between))
        ]
        M = inverses[0] - self.dissimilar_weight * inverses[1]
        self.components_ = components_of(project_semidefinite((M + M.T) / 2, self.projection))
        self.similar_pairs_ = similar.count
        self.dissimilar_pairs_ = dissimilar.count


def _inverse(C: np.ndarray, name: str) -> np.ndarray:
    try:
        return cho_solve(cho_factor(C), np.eye(len(C)))
    except LinAlgError:
        raise ValueError(
            f"KISSME: the covariance of {name} pairs has no inverse in {len(C)} dimensions. "
            "Expected more independent pairs than dimensions: raise shrinkage above 0, add samples "
            "or reduce the dimensions by PCA"
        ) from None
