"""Distances between probes and gallery, in float64 whatever comes in.

The differences themselves are formed, not expanded into inner products: equal vectors are exactly
0 apart and equal distances are equal to the last bit, so ties are true ties.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh
from scipy.spatial.distance import cdist


def euclidean(probes: ArrayLike, gallery: ArrayLike) -> np.ndarray:
    """Measure Euclidean distances (Section V-C, paper-decisions row 23).

    Parameters
    ----------
    probes : array_like [P, D]
        One vector a probe.
    gallery : array_like [G, D]
        One vector a gallery tracklet.

    Returns
    -------
    numpy.ndarray, float64 [P, G]
        The distances.

    Raises
    ------
    ValueError
        If the shapes do not fit or a vector is not finite.
    """
    return cdist(*_checked(probes, gallery))


def cosine(probes: ArrayLike, gallery: ArrayLike) -> np.ndarray:
    """Measure cosine distances, 1 minus the cosine of the angle.

    Parameters
    ----------
    probes : array_like [P, D]
        One vector a probe.
    gallery : array_like [G, D]
        One vector a gallery tracklet.

    Returns
    -------
    numpy.ndarray, float64 [P, G]
        Between 0 (same direction) and 2 (opposite). Computed as half the squared distance of the
        normalised vectors, which keeps its digits where the angle is small.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a vector is not finite or is zero and so has no direction.
    """
    probes, gallery = _checked(probes, gallery)
    return cdist(_unit(probes, "probe"), _unit(gallery, "gallery"), "sqeuclidean") / 2


def mahalanobis(probes: ArrayLike, gallery: ArrayLike, matrix: ArrayLike) -> np.ndarray:
    """Measure Mahalanobis distances, sqrt((a - b)' M (a - b)).

    Parameters
    ----------
    probes : array_like [P, D]
        One vector a probe.
    gallery : array_like [G, D]
        One vector a gallery tracklet.
    matrix : array_like [D, D]
        M, symmetric and positive semidefinite, as from `get_mahalanobis_matrix` of a metric.

    Returns
    -------
    numpy.ndarray, float64 [P, G]
        The Euclidean distances of the vectors after projection by a square root of M.

    Raises
    ------
    ValueError
        If the shapes do not fit, a vector is not finite, or M is not as described.
    """
    probes, gallery = _checked(probes, gallery)
    root = _square_root(np.asarray(matrix, dtype=np.float64), probes.shape[1])
    return cdist(probes @ root, gallery @ root)


DISTANCES: dict[str, Callable[[ArrayLike, ArrayLike], np.ndarray]] = {
    "euclidean": euclidean,
    "cosine": cosine,
}
"""Distances that need nothing but the vectors, by the name used in tables of scores."""


def _checked(probes: ArrayLike, gallery: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    probes = np.asarray(probes, dtype=np.float64)
    gallery = np.asarray(gallery, dtype=np.float64)
    for name, vectors in (("probes", probes), ("gallery", gallery)):
        if vectors.ndim != 2 or vectors.size == 0:
            raise ValueError(f"{name} have shape {vectors.shape}: expected [vectors, dimensions]")
        broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if broken.size:
            raise ValueError(
                f"{name}: {broken.size} vectors hold NaN or infinity, first row {broken[0]}. "
                "Expected finite numbers: check what made the vectors"
            )
    if probes.shape[1] != gallery.shape[1]:
        raise ValueError(
            f"probes have {probes.shape[1]} dimensions, gallery has {gallery.shape[1]}: expected "
            "vectors of the same features"
        )
    return probes, gallery


def _unit(vectors: np.ndarray, name: str) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    zero = np.flatnonzero(lengths == 0)
    if zero.size:
        raise ValueError(f"{name} row {zero[0]} is zero: it has no direction, so no cosine")
    return vectors / lengths


def _square_root(matrix: np.ndarray, dimensions: int) -> np.ndarray:
    """Find R with R R' = M, refusing an M that has none."""
    if matrix.shape != (dimensions, dimensions):
        raise ValueError(
            f"matrix has shape {matrix.shape}: expected [{dimensions}, {dimensions}], as the "
            "vectors have dimensions"
        )
    if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=1e-8 * np.abs(matrix).max()):
        raise ValueError("matrix is not symmetric: expected M = M'")
    values, vectors = eigh((matrix + matrix.T) / 2)
    if values[0] < -1e-8 * max(values[-1], 0.0):
        raise ValueError(
            f"matrix has the eigenvalue {values[0]:.3g}: expected a positive semidefinite one, or "
            "squared distances would be negative. Project it first"
        )
    return vectors * np.sqrt(np.maximum(values, 0.0))
