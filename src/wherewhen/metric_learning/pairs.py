"""Similar and dissimilar pairs of samples: the scatter of their differences, and their number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import column_or_1d

from wherewhen.metric_learning.matrices import pair_scatter


@dataclass(frozen=True)
class Pairs:
    """The scatter of some pairs' differences (no mean removed), and how many pairs they are.

    Attributes
    ----------
    scatter : numpy.ndarray [D, D]
        The sum of (x_i - x_j)(x_i - x_j)' over the pairs.
    count : int
        The number of pairs.
    """

    scatter: np.ndarray
    count: int

    @classmethod
    def of(cls, differences: np.ndarray) -> Pairs:
        """Take the differences of the pairs themselves, [P, D]."""
        return cls(differences.T @ differences, len(differences))

    def __sub__(self, other: Pairs) -> Pairs:
        return Pairs(self.scatter - other.scatter, self.count - other.count)

    def covariance(self, name: str) -> np.ndarray:
        """Divide by the number of pairs; `name` is "similar" or "dissimilar", for the message."""
        if self.count == 0:
            expected = "a person with several samples" if name == "similar" else "several persons"
            raise ValueError(
                f"there are no {name} pairs: expected {expected} (in several cameras, when cameras "
                "are given)"
            )
        return self.scatter / self.count


def similar_and_dissimilar(
    X: np.ndarray, person: np.ndarray, camera: np.ndarray | None
) -> tuple[Pairs, Pairs]:
    """Collect all pairs of samples, or all across cameras.

    Parameters
    ----------
    X : numpy.ndarray [N, D]
        The vectors, best with their mean removed.
    person : numpy.ndarray of int [N]
        Who they show, numbered from 0.
    camera : numpy.ndarray of int [N] or None
        Where, numbered from 0; None does not ask.

    Returns
    -------
    similar, dissimilar : Pairs
        Unordered pairs of one person, and of two.
    """
    everyone = np.zeros(len(X), dtype=np.int64)
    similar = Pairs(*pair_scatter(X, person))
    total = Pairs(*pair_scatter(X, everyone))
    if camera is not None:
        # Pairs across cameras are all pairs without those inside a camera.
        similar -= Pairs(*pair_scatter(X, person * (camera.max() + 1) + camera))
        total -= Pairs(*pair_scatter(X, camera))
    return similar, total - similar


def numbered_cameras(cameras: ArrayLike | None, samples: int) -> np.ndarray | None:
    """Give the cameras numbers from 0, and check that every sample has one.

    Parameters
    ----------
    cameras : array_like [N] or None
        The camera of each sample; None stays None.
    samples : int
        N.

    Returns
    -------
    numpy.ndarray of int [N] or None
        Their numbers.
    """
    if cameras is None:
        return None
    cameras = column_or_1d(np.asarray(cameras))
    if len(cameras) != samples:
        raise ValueError(f"cameras has {len(cameras)} entries: expected {samples}, one a sample")
    return np.unique(cameras, return_inverse=True)[1]
