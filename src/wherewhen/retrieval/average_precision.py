"""Average precision of one probe's ranking, by both definitions in use.

They differ in value, so a table names the one it used: ``mAP`` is the mean of `mean_precision`,
``mAP-trapezoid`` that of `trapezoid`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def mean_precision(ranks: np.ndarray) -> float:
    """Average the precision over the true matches, as most papers and libraries do.

    Parameters
    ----------
    ranks : numpy.ndarray of int [m]
        The ranks of all true matches of a probe, from 1, increasing.

    Returns
    -------
    float
        The mean of i / rank_i over the matches i = 1..m.
    """
    return float(np.mean(_found(ranks) / ranks))


def trapezoid(ranks: np.ndarray) -> float:
    """Integrate precision over recall by trapezoids, as the code of the MARS authors does.

    Parameters
    ----------
    ranks : numpy.ndarray of int [m]
        The ranks of all true matches of a probe, from 1, increasing.

    Returns
    -------
    float
        The mean over the matches of (precision one rank earlier + precision at the match) / 2,
        where the precision before rank 1 counts as 1.
    """
    found = _found(ranks)
    earlier = np.where(ranks == 1, 1.0, (found - 1) / np.maximum(ranks - 1, 1))
    return float(np.mean((earlier + found / ranks) / 2))


AVERAGE_PRECISIONS: dict[str, Callable[[np.ndarray], float]] = {
    "mean_precision": mean_precision,
    "trapezoid": trapezoid,
}
"""The definitions by name."""

MEASURES = {"mean_precision": "mAP", "trapezoid": "mAP-trapezoid"}
"""What the mean over probes is called in a table of scores."""


def _found(ranks: np.ndarray) -> np.ndarray:
    """Count the matches found up to and with each match."""
    return np.arange(1, len(ranks) + 1)
