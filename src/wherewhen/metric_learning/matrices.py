"""Shrinkage of covariances, projection on semidefinite matrices, and their roots."""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cholesky, eigh

SHRINKAGE_SCALES = ("dimensions", "samples")
PROJECTIONS = ("clip", "mars")


def shrink(C: np.ndarray, shrinkage: float, scale: str, samples: int) -> np.ndarray:
    """Shrink a covariance to a multiple of the identity: (1 - s) C + s tr(C)/n I.

    Parameters
    ----------
    C : numpy.ndarray [D, D]
        The covariance.
    shrinkage : float
        s, in [0, 1].
    scale : {"dimensions", "samples"}
        n. The number of dimensions keeps the trace; with the number of samples the identity's
        share falls as samples are added (as in the RSL-NEU benchmark).
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
    projection : {"clip", "mars"}
        ``clip``: negative eigenvalues become 0, the nearest such matrix. ``mars``: where the
        Cholesky decomposition fails, eigenvalues up to 1e-10 become 1e-6, as in the code of the
        MARS authors (which depends on the scale of the vectors).

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
    elif values[0] >= 0:
        return M
    else:
        values = np.maximum(values, 0.0)
    M = (vectors * values) @ vectors.T
    return (M + M.T) / 2


def components_of(M: np.ndarray) -> np.ndarray:
    """Return L with L' L = M, the direction of the largest eigenvalue first.

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
    """Choose the sign of each row so that its largest entry is positive.

    Parameters
    ----------
    rows : numpy.ndarray [E, D]
        Eigenvectors, whose signs are arbitrary.

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
