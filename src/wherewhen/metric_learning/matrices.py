"""Shrinkage of covariances, projection on semidefinite matrices, and their roots."""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Number, Real
from typing import Any

import numpy as np
from scipy.linalg import LinAlgError, cholesky, eigh
from sklearn.utils import check_scalar

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
    check_number(shrinkage, "shrinkage", Real, min_val=0, max_val=1)
    check_choice("shrinkage_scale", scale, SHRINKAGE_SCALES)
    n = len(C) if scale == "dimensions" else samples
    return (1 - shrinkage) * C + shrinkage * np.trace(C) / n * np.eye(len(C))


def project_semidefinite(M: np.ndarray, projection: str) -> np.ndarray:
    """Make a symmetric matrix M [D, D] positive semidefinite by its eigenvalues.

    With the projection ``clip`` negative eigenvalues become 0, the nearest such matrix. With
    ``mars``, where the Cholesky decomposition fails, eigenvalues up to 1e-10 become 1e-6, as in
    the code of the MARS authors (which depends on the scale of the vectors). M itself is returned
    if nothing needs to change.
    """
    check_choice("projection", projection, PROJECTIONS)
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
    """Return L with L' L = M for a positive semidefinite M [D, D], largest eigenvalue first."""
    values, vectors = eigh(M)
    rows = (vectors * np.sqrt(np.maximum(values, 0.0))).T[::-1]
    return fix_signs(rows)


def fix_signs(rows: np.ndarray) -> np.ndarray:
    """Choose the signs of eigenvectors [E, D] so that the largest entry of each is positive."""
    largest = np.argmax(np.abs(rows), axis=1)
    return rows * np.where(rows[np.arange(len(rows)), largest] < 0, -1.0, 1.0)[:, None]


def check_number(value: float, name: str, kind: type[Number], **bounds: Any) -> None:
    """Raise an error if a parameter is no finite number of a kind within bounds.

    Parameters
    ----------
    value, name
        The parameter's.
    kind
        `numbers.Integral` or `numbers.Real`.
    **bounds
        As `sklearn.utils.check_scalar` takes them, which lets NaN pass.
    """
    check_scalar(value, name, kind, **bounds)
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value}: expected a finite number")


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Raise a ValueError if a parameter's value is not among its choices."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r}: expected one of {', '.join(choices)}")


def _is_definite(M: np.ndarray) -> bool:
    try:
        cholesky(M)
    except LinAlgError:
        return False
    return True
