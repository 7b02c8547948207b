"""Calibration: whether four of five pairs with a score of 0.8 do show one person.

It is asked of the Siamese network's s (Eq 8), which is trained as a probability on as many pairs of
one person as of two. In a gallery nearly all pairs are of two, so both kinds are given the same
weight here; otherwise one would measure the gallery's size.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

_CHUNK = 1_000_000
"""Pairs looked at at once: MARS has 22 million, and what is made of them need not fit together."""


def reliability(genuine: ArrayLike, impostor: ArrayLike, bins: int = 10) -> pd.DataFrame:
    """Compare what scores promise with what is true, bin by bin.

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
    """Average how far promise and truth are apart.

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
