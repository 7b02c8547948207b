"""Distances between probes and gallery, in float64 whatever comes in.

Differences are formed, not expanded into inner products: the distance of equal vectors is exactly 0
and equal distances are equal to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist


def euclidean(probes: ArrayLike, gallery: ArrayLike) -> np.ndarray:
    """Compute Euclidean distances, float64 [P, G] (Section V-C, decision 23).

    Parameters
    ----------
    probes, gallery : array_like [P, D], [G, D]
        The vectors.

    Raises
    ------
    ValueError
        If the shapes do not fit or a vector is not finite.

    See Also
    --------
    cosine : Ignores the length of vectors.

    Examples
    --------
    >>> euclidean([[0.0, 0.0]], [[3.0, 4.0], [0.0, 1.0]]).tolist()
    [[5.0, 1.0]]
    """
    return cdist(*_checked(probes, gallery))


def cosine(probes: ArrayLike, gallery: ArrayLike) -> np.ndarray:
    """Compute cosine distances, float64 [P, G]: 1 minus the cosine of the angle, from 0 to 2.

    They are computed as half the squared distances of the normalised vectors, which is accurate for
    small angles.

    Parameters
    ----------
    probes, gallery : array_like [P, D], [G, D]
        The vectors.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a vector is not finite or is zero and so has no direction.

    See Also
    --------
    euclidean : Depends on the length of vectors.

    Examples
    --------
    >>> cosine([[1.0, 0.0]], [[5.0, 0.0], [0.0, 2.0], [-1.0, 0.0]]).tolist()
    [[0.0, 1.0, 2.0]]
    """
    probes, gallery = _checked(probes, gallery)
    return cdist(_unit(probes, "probe"), _unit(gallery, "gallery"), "sqeuclidean") / 2


DISTANCES: dict[str, Callable[[ArrayLike, ArrayLike], np.ndarray]] = {
    "euclidean": euclidean,
    "cosine": cosine,
}
"""Distances without parameters, by the name used in tables of scores."""


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
