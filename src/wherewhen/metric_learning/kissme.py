"""KISSME: a Mahalanobis metric from the covariances of similar and of dissimilar pairs.

M. Koestinger, M. Hirzer, P. Wohlhart, P. M. Roth, H. Bischof: Large Scale Metric Learning from
Equivalence Constraints. CVPR 2012. In the paper of this project: Section V-C, after PCA.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from sklearn.utils import check_random_state
from sklearn.utils.validation import column_or_1d, validate_data

from wherewhen.metric_learning.base import MahalanobisMetric
from wherewhen.metric_learning.matrices import components_of, project_semidefinite, shrink
from wherewhen.metric_learning.pairs import Pairs, numbered_cameras, similar_and_dissimilar


class KISSME(MahalanobisMetric):
    """Keep-it-simple-and-straightforward metric: M = inv(C_similar) - w inv(C_dissimilar).

    The covariances are those of the differences of pairs, without removal of a mean, divided by the
    number of pairs.

    Parameters
    ----------
    dissimilar_weight : float
        w, the weight of the dissimilar pairs' term; 1 as published.
    shrinkage : float
        s of C <- (1 - s) C + s tr(C)/n I, for both covariances. They are singular with the few
        pairs of a small set (paper-decisions, row 28), but most of their trace lies in the
        directions of the view, which are those to suppress: a large s lets them through. On
        simulated clips (35 persons, 2 cameras, 4 clips each, 40 test persons, 4 seeds, a throw-away
        script: a lead, to be confirmed on real features; cosine .35 rank-1) s = .001, .01, .1
        gave .69, .64, .48, and .63, .43, .31 where the clips of a video were near-duplicates.
    shrinkage_scale : {"dimensions", "samples"}
        n of that formula: the number of dimensions, so that the trace stays, or of samples
        (vectors in `fit`, pairs in `fit_pairs`), as in the RSL-NEU benchmark.
    projection : {"clip", "relative", "mars"}
        How M becomes positive semidefinite: see `matrices.project_semidefinite`.
    dissimilar_pairs : int or None
        How many dissimilar pairs `fit` draws; None takes all of them, which costs no more, because
        their covariance has a closed form, and adds no chance.
    random_state : int, numpy.random.RandomState or None
        The seed of that draw.

    Attributes
    ----------
    components_ : numpy.ndarray [D, D]
        L with L' L = M.
    similar_pairs_, dissimilar_pairs_ : int
        The pairs that the covariances were taken over.
    n_features_in_ : int
        D.
    """

    def __init__(
        self,
        dissimilar_weight: float = 1.0,
        shrinkage: float = 0.001,
        shrinkage_scale: str = "dimensions",
        projection: str = "clip",
        dissimilar_pairs: int | None = None,
        random_state: int | np.random.RandomState | None = 0,
    ):
        self.dissimilar_weight = dissimilar_weight
        self.shrinkage = shrinkage
        self.shrinkage_scale = shrinkage_scale
        self.projection = projection
        self.dissimilar_pairs = dissimilar_pairs
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, cameras: ArrayLike | None = None) -> Self:
        """Learn from labelled vectors: all similar pairs, all or some dissimilar ones.

        Parameters
        ----------
        X : array_like [N, D]
            The vectors.
        y : array_like [N]
            The person of each.
        cameras : array_like [N], optional
            The camera of each; when given, pairs are made across cameras only. In simulations
            (shrinkage .01 and .1) this was worse than all pairs by 4 to 7 points.

        Returns
        -------
        KISSME
            This estimator.

        Raises
        ------
        ValueError
            If there are no similar or no dissimilar pairs, or a covariance has no inverse.
        """
        X, person = self._labelled(X, y)
        camera = numbered_cameras(cameras, len(X))
        similar, dissimilar = similar_and_dissimilar(X, person, camera)
        wanted = self.dissimilar_pairs
        if wanted is not None and wanted < 1:
            raise ValueError(f"dissimilar_pairs is {wanted}: expected at least 1, or None for all")
        if wanted is not None and wanted < dissimilar.count:
            left, right = self._draw(person, camera, wanted)
            dissimilar = Pairs.of(X[left] - X[right])
        return self._learn(similar, dissimilar, samples=len(X))

    def fit_pairs(
        self, X: ArrayLike, left: ArrayLike, right: ArrayLike, similar: ArrayLike
    ) -> Self:
        """Learn from pairs that are known to be similar or dissimilar.

        Parameters
        ----------
        X : array_like [N, D]
            The vectors.
        left, right : array_like of int [P]
            The rows of X that make a pair.
        similar : array_like of bool [P]
            Whether they show the same person.

        Returns
        -------
        KISSME
            This estimator.

        Raises
        ------
        ValueError
            If lengths differ, a row does not exist, there are no similar or no dissimilar pairs, or
            a covariance has no inverse.
        """
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        left, right, similar = (column_or_1d(np.asarray(part)) for part in (left, right, similar))
        if not len(left) == len(right) == len(similar):
            raise ValueError(
                f"left, right and similar have {len(left)}, {len(right)} and {len(similar)} "
                "entries: expected one each for every pair"
            )
        for name, rows in (("left", left), ("right", right)):
            if rows.dtype.kind not in "iu" or (
                len(rows) and not 0 <= rows.min() <= rows.max() < len(X)
            ):
                raise ValueError(
                    f"{name} holds no rows of X: expected integers from 0 to {len(X) - 1}"
                )
        similar = similar.astype(bool)
        differences = X[left] - X[right]
        return self._learn(
            Pairs.of(differences[similar]), Pairs.of(differences[~similar]), samples=len(similar)
        )

    def _learn(self, similar: Pairs, dissimilar: Pairs, samples: int) -> Self:
        inverses = [
            _inverse(
                shrink(pairs.covariance(name), self.shrinkage, self.shrinkage_scale, samples), name
            )
            for name, pairs in (("similar", similar), ("dissimilar", dissimilar))
        ]
        M = inverses[0] - self.dissimilar_weight * inverses[1]
        self.components_ = components_of(project_semidefinite((M + M.T) / 2, self.projection))
        self.similar_pairs_ = similar.count
        self.dissimilar_pairs_ = dissimilar.count
        return self

    def _draw(
        self, person: np.ndarray, camera: np.ndarray | None, count: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw that many different dissimilar pairs; every one is equally likely."""
        generator = check_random_state(self.random_state)
        n = len(person)
        codes = np.empty(0, dtype=np.int64)
        while len(codes) < count:
            left, right = generator.randint(n, size=(2, 2 * count))
            apart = (person[left] != person[right]) & (left < right)
            if camera is not None:
                apart &= camera[left] != camera[right]
            drawn = np.concatenate([codes, left[apart] * n + right[apart]])
            codes = drawn[np.sort(np.unique(drawn, return_index=True)[1])]  # in order of drawing
        return np.divmod(codes[:count], n)


def _inverse(C: np.ndarray, name: str) -> np.ndarray:
    try:
        return cho_solve(cho_factor(C), np.eye(len(C)))
    except LinAlgError:
        raise ValueError(
            f"KISSME: the covariance of {name} pairs has no inverse in {len(C)} dimensions. "
            "Expected more independent pairs than dimensions: raise shrinkage above 0, add samples "
            "or reduce the dimensions by PCA"
        ) from None
