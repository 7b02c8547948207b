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
    """The scatter of the differences of some pairs, without removal of a mean, and their number.

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
        """Make them from differences [P, D]."""
        return cls(differences.T @ differences, len(differences))

    @classmethod
    def within(cls, X: np.ndarray, groups: np.ndarray) -> Self:
        """Make all unordered pairs inside groups.

        Parameters
        ----------
        X : numpy.ndarray [N, D]
            The vectors, best with their mean removed.
        groups : numpy.ndarray of int [N]
            The group of each, numbered from 0.
        """
        sizes = np.bincount(groups)
        sums = np.zeros((len(sizes), X.shape[1]))
        np.add.at(sums, groups, X)
        centred = X - (sums / np.maximum(sizes, 1)[:, None])[groups]
        weighted = centred * np.sqrt(sizes[groups])[:, None]
        return cls(weighted.T @ weighted, int((sizes * (sizes - 1) // 2).sum()))

    def __sub__(self, other: Pairs) -> Pairs:
        return Pairs(self.scatter - other.scatter, self.count - other.count)

    def covariance(self, name: str) -> np.ndarray:
        """Divide the scatter by the number of pairs.

        Parameters
        ----------
        name : {"similar", "dissimilar"}
            For the message.

        Raises
        ------
        ValueError
            If there are no pairs.
        """
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
        The vectors, best with their mean removed.
    person : numpy.ndarray of int [N]
        The person of each, numbered from 0.
    camera : numpy.ndarray of int [N] or None
        The camera of each, numbered from 0; None takes pairs inside cameras too.

    Returns
    -------
    similar, dissimilar : Pairs
        Pairs of one person, and of two.
    """
    similar = Pairs.within(X, person)
    total = Pairs.within(X, np.zeros(len(X), dtype=np.int64))
    if camera is not None:
        # Pairs across cameras are all pairs without those inside a camera.
        similar -= Pairs.within(X, person * (camera.max() + 1) + camera)
        total -= Pairs.within(X, camera)
    return similar, total - similar
