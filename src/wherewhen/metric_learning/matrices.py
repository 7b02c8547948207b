"""Matrices that the estimators share: scatters of differences, shrinkage, semidefinite roots.

The sum over pairs of (x_i - x_j)(x_i - x_j)' is never formed pair by pair: within a group of m
vectors it equals m times their scatter about their mean, so thousands of pairs cost one product.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cholesky, eigh

SHRINKAGE_SCALES = ("dimensions", "samples")
PROJECTIONS = ("mars", "clip", "relative")


def pair_scatter(X: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, int]:
    """Sum the outer products of the differences over all pairs within groups.

    Parameters
    ----------
    X : numpy.ndarray [N, D]
        The vectors, best with their mean removed.
    groups : numpy.ndarray of int [N]
        The group of each, numbered from 0.

    Returns
    -------
    scatter : numpy.ndarray [D, D]
        The sum over unordered pairs of the same group.
    pairs : int
        How many those are.
    """
    sizes = np.bincount(groups)
    sums = np.zeros((len(sizes), X.shape[1]))
    np.add.at(sums, groups, X)
    centred = X - (sums / np.maximum(sizes, 1)[:, None])[groups]
    weighted = centred * np.sqrt(sizes[groups])[:, None]
    return weighted.T @ weighted, int((sizes * (sizes - 1) // 2).sum())


def shrink(C: np.ndarray, shrinkage: float, scale: str, samples: int) -> np.ndarray:
    """Move a covariance towards a multiple of the identity: (1 - s) C + s tr(C)/n I.

    Parameters
    ----------
    C : numpy.ndarray [D, D]
        The covariance.
    shrinkage : float
        s, in [0, 1].
    scale : {"dimensions", "samples"}
        What n is. With the number of dimensions the trace is kept; with that of samples the
        identity's share falls as samples come (as in the RSL-NEU benchmark).
    samples : int
        The number of samples.

    Returns
    -------
    numpy.ndarray [D, D]
        The shrunk covariance.
    """
    if not 0 <= shrinkage <= 1:
        raise ValueError(f"shrinkage is {shrinkage}: expected between 0 and 1")
    if scale not in SHRINKAGE_SCALES:
        raise ValueError(
            f"shrinkage_scale is {scale!r}: expected one of {', '.join(SHRINKAGE_SCALES)}"
        )
    n = len(C) if scale == "dimensions" else samples
    return (1 - shrinkage) * C + shrinkage * np.trace(C) / n * np.eye(len(C))


def project_semidefinite(M: np.ndarray, projection: str) -> np.ndarray:
    """Make a symmetric matrix positive semidefinite by its eigenvalues.

    Parameters
    ----------
    M : numpy.ndarray [D, D]
        The matrix.
    projection : {"mars", "clip", "relative"}
        ``mars``: where the Cholesky decomposition fails, eigenvalues up to 1e-10 become 1e-6, as in
        the code of the MARS authors (which depends on the scale of the vectors). ``clip``: negative
        ones become 0, the nearest such matrix. ``relative``: those below 1e-6 times the largest
        become that, so that M has full rank at any scale of the vectors.

    Returns
    -------
    numpy.ndarray [D, D]
        M itself if nothing needs to change.
    """
    if projection not in PROJECTIONS:
        raise ValueError(f"projection is {projection!r}: expected one of {', '.join(PROJECTIONS)}")
    if projection == "mars" and _is_definite(M):
        return M
    values, vectors = eigh(M)
    if projection == "mars":
        values = np.where(values <= 1e-10, 1e-6, values)
    else:
        floor = 1e-6 * max(values[-1], 0.0) if projection == "relative" else 0.0
        if values[0] >= floor:
            return M
        values = np.maximum(values, floor)
    M = (vectors * values) @ vectors.T
    return (M + M.T) / 2


def components_of(M: np.ndarray) -> np.ndarray:
    """Find L with L' L = M, the strongest direction first.

    Parameters
    ----------
    M : numpy.ndarray [D, D]
        A symmetric positive semidefinite matrix.

    Returns
    -------
    numpy.ndarray [D, D]
        L; Euclidean distances between the rows of ``X @ L.T`` are those of the metric M.
    """
    values, vectors = eigh(M)
    rows = (vectors * np.sqrt(np.maximum(values, 0.0))).T[::-1]
    return fix_signs(rows)


def fix_signs(rows: np.ndarray) -> np.ndarray:
    """Turn each row so that its largest entry is positive: eigenvectors come with either sign.

    Parameters
    ----------
    rows : numpy.ndarray [E, D]
        Directions.

    Returns
    -------
    numpy.ndarray [E, D]
        The same, some of them negated.
    """
    largest = np.argmax(np.abs(rows), axis=1)
    return rows * np.where(rows[np.arange(len(rows)), largest] < 0, -1.0, 1.0)[:, None]


def _is_definite(M: np.ndarray) -> bool:
    try:
        cholesky(M)
    except LinAlgError:
        return False
    return True
