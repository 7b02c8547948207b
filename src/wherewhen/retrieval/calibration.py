"""Calibration of scores as probabilities: of pairs scored 0.8, 80 % should show the same person.

The Siamese network's s (Eq 8) is a probability by its training, on as many pairs of one person as
of two; `fit_probability` makes one of any distance. In a gallery nearly all pairs are of two
persons. Both kinds therefore get the same total weight; otherwise the result would depend on the
size of the gallery.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from wherewhen.retrieval.open_set import checked_pairs

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
    kinds = zip(("genuine", "impostor"), checked_pairs(genuine, impostor), (1, 0), strict=True)
    for name, values, same in kinds:
        for start in range(0, len(values), _CHUNK):
            scores = values[start : start + _CHUNK].astype(np.float64)
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


def fit_probability(
    genuine: ArrayLike, impostor: ArrayLike, random_state: int = 0
) -> tuple[float, float]:
    """Fit the probability that a pair shows one person as a logistic function of its distance.

    P = 1 / (1 + exp(slope * distance + intercept)), as if both kinds of pairs were equally
    frequent.

    Parameters
    ----------
    genuine, impostor : array_like [N], [M]
        Distances of pairs of one person, and of two.
    random_state : int
        Seed by which a million is drawn of more pairs than that of a kind.

    Returns
    -------
    slope, intercept : float

    Raises
    ------
    ValueError
        If a kind has no pairs, or all distances are equal.

    See Also
    --------
    wherewhen.retrieval.open_set.thresholds_at : Accepts pairs at a false positive rate instead.

    Notes
    -----
    J. Platt: Probabilistic Outputs for Support Vector Machines. Advances in Large Margin
    Classifiers, 1999. A weak penalty keeps the slope finite where the kinds do not overlap.

    Examples
    --------
    >>> slope, intercept = fit_probability([0.1, 0.2, 0.6], [0.4, 0.8, 0.9])
    >>> [round(float(1 / (1 + np.exp(slope * d + intercept))), 1) for d in (0.0, 0.5, 1.0)]
    [1.0, 0.5, 0.0]
    """
    from sklearn.linear_model import LogisticRegression

    generator = np.random.default_rng(random_state)
    kinds = [
        values if len(values) <= _CHUNK else generator.choice(values, _CHUNK, replace=False)
        for values in checked_pairs(genuine, impostor)
    ]
    distances = np.concatenate(kinds).astype(np.float64)
    centre, scale = distances.mean(), distances.std()
    if scale == 0:
        raise ValueError(f"all distances are {centre}: expected different ones to fit to")
    different = np.repeat([False, True], [len(each) for each in kinds])
    model = LogisticRegression(C=1e4, class_weight="balanced")
    model.fit(((distances - centre) / scale)[:, None], different)
    slope = float(model.coef_[0, 0] / scale)
    return slope, float(model.intercept_[0] - slope * centre)


def expected_calibration_error(table: pd.DataFrame) -> float:
    """Compute the expected calibration error (ECE) of a table from `reliability`.

    It is the mean over the bins, by weight, of |frequency - confidence|: C. Guo, G. Pleiss, Y. Sun,
    K. Q. Weinberger, On Calibration of Modern Neural Networks, ICML 2017, equation 3.
    """
    gaps = (table["frequency"] - table["confidence"]).abs()
    return float((table["weight"] * gaps).sum())
