"""The smallest distances of a row, in order, without a sort of the rest."""

from __future__ import annotations

import numpy as np


def nearest(distances: np.ndarray, count: int | None = None) -> np.ndarray:
    """Return the indices of the smallest distances in a row [G], ties in the order of the row.

    Parameters
    ----------
    distances : numpy.ndarray [G]
        The row.
    count : int or None
        How many; None, or more than there are, for all.

    Examples
    --------
    >>> nearest(np.array([3.0, 1.0, 2.0, 1.0]), 3).tolist()
    [1, 3, 2]
    """
    if count is None or count >= len(distances):
        return np.argsort(distances, kind="stable")
    last = np.partition(distances, count - 1)[count - 1]
    near = np.flatnonzero(distances <= last)  # a few more, where the last is tied
    return near[np.argsort(distances[near], kind="stable")[:count]]
