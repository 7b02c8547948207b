"""Average precision of one probe's ranking, by both definitions in use.

Their values differ, so tables name the definition: ``mAP`` is the mean of `mean_precision` over
probes, ``mAP-trapezoid`` that of `trapezoid`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def mean_precision(ranks: np.ndarray) -> float:
    """Mean of the precision i / rank_i over the matches i = 1..m, as in most papers and libraries.

    `ranks` [m] are those of all true matches of a probe, from 1, increasing.

    Examples
    --------
    >>> mean_precision(np.array([1, 4]))
    0.75
    """
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))


def trapezoid(ranks: np.ndarray) -> float:
    """Integral of precision over recall by trapezoids, as in the code of the MARS authors.

    It is the mean over the matches of (precision one rank earlier + precision at the match) / 2,
    where the precision before rank 1 counts as 1. `ranks` are as in `mean_precision`.

    Examples
    --------
    >>> trapezoid(np.array([2]))
    0.25
    """
    found = np.arange(1, len(ranks) + 1)  # matches up to each rank
    earlier = np.where(ranks == 1, 1.0, (found - 1) / np.maximum(ranks - 1, 1))
    return float(np.mean((earlier + found / ranks) / 2))


AVERAGE_PRECISIONS: dict[str, Callable[[np.ndarray], float]] = {
    "mean_precision": mean_precision,
    "trapezoid": trapezoid,
}
"""The definitions by name."""

MEASURES = {"mean_precision": "mAP", "trapezoid": "mAP-trapezoid"}
"""Names of the means over probes in tables of scores."""
