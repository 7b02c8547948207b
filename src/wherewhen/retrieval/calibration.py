"""Calibration: a score as a probability. Of pairs scored 0.8, four of five should show one person.

Used for the Siamese network's s (Eq 8), which is trained on as many pairs of one person as of two.
In a gallery nearly all pairs are of two persons. Both kinds therefore get the same total weight;
otherwise the result would depend on the size of the gallery.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

_CHUNK = 1_000_000
"""Pairs processed at once, to bound memory: MARS has 22 million."""


def reliability(genuine: ArrayLike, impostor: ArrayLike, bins: int = 10) -> pd.DataFrame:
    """Compute a reliability diagram: mean score and observed frequency by bin.

    Parameters
    ----------
    genuine, impostor : array_like [N], [M]
        Scores in [0, 1] of pairs of one person, and of two.
    bins : int
        Bins of equal width.

    Returns
    -------
    pandas.DataFrame
        One row a bin that is not empty: ``low, high`` (its ends; the upper one belongs to the next
        bin, except 1), ``pairs`` (how many), ``weight`` (their share, both kinds together weighing
        alike), ``confidence`` (the mean score) and ``frequency`` (the share of one person), both so
        weighed.

    Raises
    ------
    ValueError
        If a kind has no pairs, a score is no probability, or there is no bin.

    See Also
    --------
    expected_calibration_error : Sums the table up.

    Examples
    --------
    >>> reliability([0.9, 0.8], [0.1, 0.6], bins=2).frequency.round(2).tolist()
    [0.0, 0.67]
    """
    if bins < 1:
        raise ValueError(f"bins is {bins}: expected at least 1")
    pairs = np.zeros(bins, dtype=np.int64)
    weight, promised, kept = np.zeros(bins), np.zeros(bins), np.zeros(bins)
    for name, values, same in (("genuine", genuine, 1), ("impostor", impostor, 0)):
        values = np.asarray(values)
        if values.ndim != 1 or not len(values):
            raise ValueError(f"{name} has shape {values.shape}: expected scores of pairs")
        for scores in _chunks(values):
            if not (scores.min() >= 0 and scores.max() <= 1):
                raise ValueError(f"{name} holds {scores.min()} to {scores.max()}: expected 0 to 1")
            place = np.minimum((scores * bins).astype(np.int64), bins - 1)
            count = np.bincount(place, minlength=bins)
            pairs += count
            weight += count / (2 * len(values))
            promised += np.bincount(place, scores, minlength=bins) / (2 * len(values))
            kept += same * count / (2 * len(values))
    table = pd.DataFrame(
        {
            "low": np.arange(bins) / bins,
            "high": np.arange(1, bins + 1) / bins,
            "pairs": pairs,
            "weight": weight,
            "confidence": promised / np.where(weight > 0, weight, 1),
            "frequency": kept / np.where(weight > 0, weight, 1),
        }
    )
    return table[table["pairs"] > 0].reset_index(drop=True)


def expected_calibration_error(table: pd.DataFrame) -> float:
    """Compute the expected calibration error (ECE).

    Parameters
    ----------
    table : pandas.DataFrame
        As `reliability` returns it.

    Returns
    -------
    float
        The mean over the bins, by weight, of |frequency - confidence|.

    Notes
    -----
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger: On Calibration of Modern Neural Networks.
    ICML 2017, equation 3.
    """
    gaps = (table["frequency"] - table["confidence"]).abs()
    return float((table["weight"] * gaps).sum())


def _chunks(values: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK].astype(np.float64)
