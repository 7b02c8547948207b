"""XQDA: a subspace and a metric in it, learned together from pairs across cameras.

S. Liao, Y. Hu, X. Zhu, S. Z. Li: Person Re-identification by Local Maximal Occurrence
Representation and Metric Learning. CVPR 2015. Not in the paper of this project.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from scipy.linalg import LinAlgError, eigh

from wherewhen.metric_learning.base import MahalanobisMetric
from wherewhen.metric_learning.matrices import check_number, fix_signs
from wherewhen.metric_learning.pairs import similar_and_dissimilar


class XQDA(MahalanobisMetric):
    """Cross-view quadratic discriminant analysis.

    With the covariances C_I of the differences of similar pairs and C_E of dissimilar ones, the
    subspace W holds the directions with C_E w = lambda (C_I + r I) w and lambda > 1, where persons
    differ more than their views do; the metric is M = W (inv(W' C_I W) - inv(W' C_E W)) W'. These
    directions diagonalise both, so that M = sum_i (1 - 1/lambda_i) w_i w_i', which is positive
    semidefinite without a projection. With cameras, pairs are made across them alone, as published.

    Parameters
    ----------
    n_components : int or None
        The most directions, largest lambda first; None keeps all above 1, as published.
    regularisation : float
        r; 0.001 as published. It is absolute: the vectors should have about unit length.

    Attributes
    ----------
    components_ : numpy.ndarray [E, D]
        L with L' L = M; E is the dimension of the subspace.
    eigenvalues_ : numpy.ndarray [E]
        lambda, falling, all above 1.
    similar_pairs_, dissimilar_pairs_ : int
        The numbers of pairs of the covariances.
    n_features_in_ : int
        D.

    See Also
    --------
    KISSME : Takes the subspace from PCA.

    Examples
    --------
    >>> X = [[0.0, 1.0], [0.2, 0.1], [3.0, 0.8], [3.1, 0.2]]  # the second feature is noise
    >>> XQDA().fit(X, ["p", "p", "q", "q"], cameras=[1, 2, 1, 2]).transform(X).shape
    (4, 1)
    """

    FITTED: ClassVar[Mapping[str, str]] = {
        "components_": "ED",
        "eigenvalues_": "E",
        "similar_pairs_": "",
        "dissimilar_pairs_": "",
    }

    def __init__(self, n_components: int | None = None, regularisation: float = 0.001):
        self.n_components = n_components
        self.regularisation = regularisation

    def _fit(self, X: np.ndarray, person: np.ndarray, camera: np.ndarray | None) -> None:
        if self.n_components is not None:
            check_number(self.n_components, "n_components", Integral, min_val=1)
        check_number(self.regularisation, "regularisation", Real, min_val=0)
        similar, dissimilar = similar_and_dissimilar(X, person, camera)
        within = similar.covariance("similar") + self.regularisation * np.eye(X.shape[1])
        try:
            values, vectors = eigh(dissimilar.covariance("dissimilar"), within)
        except LinAlgError:
            raise ValueError(
                f"XQDA: the covariance of similar pairs has no inverse in {X.shape[1]} dimensions. "
                "Raise regularisation above 0, add samples, or reduce the dimensions by PCA"
            ) from None
        values, rows = values[::-1], vectors.T[::-1]
        kept = np.flatnonzero(values > 1)[: self.n_components]
        if not len(kept):
            raise ValueError(
                f"XQDA finds no direction in which dissimilar pairs differ more than similar ones "
                f"(the largest ratio is {values[0]:.3g}): lower regularisation, or check the labels"
            )
        self.eigenvalues_ = values[kept]
        self.components_ = fix_signs(rows[kept] * np.sqrt(1 - 1 / self.eigenvalues_)[:, None])
        self.similar_pairs_, self.dissimilar_pairs_ = similar.count, dissimilar.count
