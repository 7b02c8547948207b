"""LFDA: a linear map that keeps a person's neighbours close and separates persons.

M. Sugiyama: Dimensionality Reduction of Multimodal Labeled Data by Local Fisher Discriminant
Analysis. JMLR 8, 2007. In person re-identification: S. Pedagadi et al., CVPR 2013. In the paper of
this project: Section V-C, after PCA.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import ClassVar

import numpy as np
from scipy.linalg import LinAlgError, eigh, qr
from scipy.spatial.distance import cdist

from wherewhen.metric_learning.base import MahalanobisMetric
from wherewhen.metric_learning.matrices import check_choice, check_number, fix_signs, shrink

EMBEDDINGS = ("weighted", "plain", "orthonormalized")


class LFDA(MahalanobisMetric):
    """Local Fisher discriminant analysis.

    With A the affinity of two samples of a class (0 between classes) and n_c its size, the local
    scatters are S = 1/2 sum_ij W_ij (x_i - x_j)(x_i - x_j)' with the weights A_ij / n_c within, and
    between A_ij (1/n - 1/n_c) for samples of one class and 1/n for others. The map's rows solve
    S_b v = lambda S_w v, the largest lambda first.

    Parameters
    ----------
    n_components : int or None
        Dimensions after the map; None keeps all (decision 29).
    k : int
        A sample's scale is the distance to its min(k, n_c - 1)-th neighbour in its class; the
        affinity is exp(-|x_i - x_j|^2 / (scale_i scale_j)), and 0 where a scale is 0. 7 as in the
        paper of LFDA (decision 29). With k below the clips a tracklet, which are each other's
        nearest neighbours, pairs across cameras get less weight.
    shrinkage, shrinkage_scale
        s and n of `matrices.shrink`, applied to S_w. A large s no longer suppresses the directions
        in which views differ.
    embedding : {"weighted", "plain", "orthonormalized"}
        As in metric-learn. ``plain``: eigenvectors with v' S_w v = 1. ``weighted``: those times
        sqrt(lambda), as the paper of LFDA defines the map; a negative lambda counts as 0.
        ``orthonormalized``: the plain ones made orthonormal.

    Attributes
    ----------
    components_ : numpy.ndarray [E, D]
        The map: ``transform`` returns ``X @ components_.T``.
    eigenvalues_ : numpy.ndarray [E]
        lambda, falling.
    n_features_in_ : int
        D.

    See Also
    --------
    KISSME : Learns from pairs.

    Examples
    --------
    >>> X = [[0.0, 1.0], [0.2, 0.1], [3.0, 0.8], [3.1, 0.2]]  # the second feature is noise
    >>> LFDA(n_components=1).fit(X, ["p", "p", "q", "q"]).transform(X).shape
    (4, 1)
    """

    FITTED: ClassVar[Mapping[str, str]] = {"components_": "ED", "eigenvalues_": "E"}

    def __init__(
        self,
        n_components: int | None = None,
        k: int = 7,
        shrinkage: float = 0.001,
        shrinkage_scale: str = "dimensions",
        embedding: str = "weighted",
    ):
        self.n_components = n_components
        self.k = k
        self.shrinkage = shrinkage
        self.shrinkage_scale = shrinkage_scale
        self.embedding = embedding

    def _fit(self, X: np.ndarray, person: np.ndarray, camera: np.ndarray | None) -> None:
        if camera is not None:
            raise TypeError("LFDA takes no cameras: its neighbours are those of all of them")
        dimensions = X.shape[1]
        kept = dimensions if self.n_components is None else self.n_components
        check_number(kept, "n_components", Integral, min_val=1, max_val=dimensions)
        check_number(self.k, "k", Integral, min_val=1)
        check_choice("embedding", self.embedding, EMBEDDINGS)
        within, between = _local_scatters(X - X.mean(axis=0), person, self.k)
        if not np.trace(within) > 0:
            raise ValueError(
                "LFDA finds no scatter within the classes: expected a class with at least two "
                "different samples; use several clips a tracklet"
            )
        within = shrink(within, self.shrinkage, self.shrinkage_scale, samples=len(X))
        try:
            values, vectors = eigh(between, within)
        except LinAlgError:
            raise ValueError(
                f"LFDA: the scatter within the classes is not positive definite ({len(within)} "
                "dimensions). Raise shrinkage above 0, add samples, or reduce the dimensions by PCA"
            ) from None
        self.eigenvalues_ = values[::-1][:kept]
        self.components_ = _embed(vectors.T[::-1][:kept], self.eigenvalues_, self.embedding)


def _affinity(X: np.ndarray, k: int) -> np.ndarray:
    """Compute the local scaling affinity inside one class of at least two samples."""
    distances = cdist(X, X)
    # Column 0 of the sorted distances is the sample itself (or its equal).
    scales = np.sort(distances, axis=1)[:, min(k, len(X) - 1)]
    products = np.outer(scales, scales)
    scaled = np.divide(
        distances**2, products, out=np.full_like(products, np.inf), where=products > 0
    )
    return np.exp(-scaled)


def _local_scatters(X: np.ndarray, person: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute S_w and S_b from affinities inside classes alone; X has its mean removed.

    S_b is the mixture's scatter minus S_w, and the mixture's weights are 1/n for all pairs, less
    (1 - A_ij)/n for pairs of a class: so no matrix of all pairs is needed.
    """
    weighted, missing = np.zeros_like(X), np.zeros_like(X)
    for label in range(person.max() + 1):
        members = person == label
        affinity = _affinity(X[members], k)
        weighted[members] = _laplacian(affinity) @ X[members] / len(affinity)
        missing[members] = _laplacian(1 - affinity) @ X[members] / len(X)
    within = X.T @ weighted
    between = X.T @ (X - missing) - within
    return (within + within.T) / 2, (between + between.T) / 2


def _laplacian(weights: np.ndarray) -> np.ndarray:
    """Return L with X' L X = 1/2 sum_ij w_ij (x_i - x_j)(x_i - x_j)'."""
    return np.diag(weights.sum(axis=1)) - weights


def _embed(rows: np.ndarray, eigenvalues: np.ndarray, embedding: str) -> np.ndarray:
    if embedding == "weighted":
        rows = rows * np.sqrt(np.maximum(eigenvalues, 0.0))[:, None]
    elif embedding == "orthonormalized":
        rows = qr(rows.T, mode="economic")[0].T
    return fix_signs(rows)
