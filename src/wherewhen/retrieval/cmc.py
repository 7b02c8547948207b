"""The cumulative matching characteristic (CMC): how often a true match is among the first k."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def cmc(first_ranks: ArrayLike, max_rank: int) -> np.ndarray:
    """Compute a CMC curve, float64 [max_rank]: at index k - 1 the fraction of probes with rank-k.

    Parameters
    ----------
    first_ranks : array_like of int [P]
        For every probe the rank of its best placed true match, 1 being the best.
    max_rank : int
        The last rank of the curve. Beyond the size of the gallery the curve stays as it is.

    Raises
    ------
    ValueError
        If there is no probe, a rank is below 1, or `max_rank` is.

    Examples
    --------
    >>> cmc([1, 3], 4).tolist()
    [0.5, 0.5, 1.0, 1.0]
    """
    first_ranks = np.asarray(first_ranks)
    if max_rank < 1:
        raise ValueError(f"max_rank is {max_rank}: expected at least 1")
    if first_ranks.size == 0:
        raise ValueError("no ranks: a CMC needs at least one probe with a true match")
    if first_ranks.min() < 1:
        raise ValueError(f"rank {first_ranks.min()}: expected ranks from 1")
    found = np.bincount(np.minimum(first_ranks, max_rank + 1), minlength=max_rank + 2)
    return np.cumsum(found[1 : max_rank + 1]) / first_ranks.size
