"""Scatter of the differences of similar and of dissimilar pairs.

The sum over pairs of (x_i - x_j)(x_i - x_j)' needs no loop over pairs: within a group of m vectors
it equals m times their scatter about their mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Pairs:
    """The scatter of the differences of pairs, without removal of a mean, and their number.

    Attributes
    ----------
    scatter : numpy.ndarray [D, D]
        The sum of (x_i - x_j)(x_i - x_j)' over the pairs.
    count : int
        The number of pairs.

    Examples
    --------
    >>> Pairs.within(np.array([[0.0], [1.0], [7.0]]), np.array([0, 0, 1]))
    Pairs(scatter=array([[1.]]), count=1)
    """

    scatter: np.ndarray
    count: int

    @classmethod
    def of(cls, differences: np.ndarray) -> Self:
        """Make them of differences [P, D]."""
        return cls(differences.T @ differences, len(differences))

    @classmethod
    def within(cls, X: np.ndarray, groups: np.ndarray) -> Self:
        """Make all unordered pairs of vectors [N, D] inside groups [N], numbered from 0."""
        sizes = np.bincount(groups)
        sums = np.zeros((len(sizes), X.shape[1]))
        np.add.at(sums, groups, X)
        centred = X - (sums / np.maximum(sizes, 1)[:, None])[groups]
        weighted = centred * np.sqrt(sizes[groups])[:, None]
        return cls(weighted.T @ weighted, int((sizes * (sizes - 1) // 2).sum()))

    def __sub__(self, other: Pairs) -> Pairs:
        return Pairs(self.scatter - other.scatter, self.count - other.count)

    def covariance(self, name: str) -> np.ndarray:
        """Divide the scatter by the number of pairs; the name of the pairs is for the error."""
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
    """Make all unordered pairs of samples, or all across cameras.

    Parameters
    ----------
    X : numpy.ndarray [N, D]
        The vectors.
    person, camera : numpy.ndarray of int [N]
        The person and the camera of each, numbered from 0; without cameras (None) all pairs count.

    Returns
    -------
    similar, dissimilar : Pairs
        Pairs of the same person, and of two persons.
    """
    X = X - X.mean(axis=0)  # differences do not depend on the mean, and are more precise without
    similar = Pairs.within(X, person)
    total = Pairs.within(X, np.zeros(len(X), dtype=np.int64))
    if camera is not None:
        # Pairs across cameras are all pairs without those inside a camera.
        similar -= Pairs.within(X, person * (camera.max() + 1) + camera)
        total -= Pairs.within(X, camera)
    return similar, total - similar
