"""Open-set measures: verification of pairs by a threshold on their distance.

A ranking has a first place whether or not the person is in the gallery. To decide that, pairs are
accepted below a threshold; these measures relate accepted true pairs to accepted wrong ones.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike


def true_positive_rates(
    genuine: ArrayLike, impostor: ArrayLike, rates: tuple[float, ...] = (0.01, 0.001)
) -> dict[float, float]:
    """Compute true positive rates at given false positive rates (TPR@FPR).

    For each of the `rates`, in (0, 1), it is the largest true positive rate of a threshold whose
    false positive rate is not above it, without interpolation. A rate below 1/M has no entry: M
    pairs cannot show it.

    Parameters
    ----------
    genuine, impostor : array_like [N], [M]
        Distances of pairs of one person, and of two.
    rates : tuple of float
        False positive rates.

    See Also
    --------
    equal_error_rate : One number for the whole curve.
    thresholds_at : The thresholds.

    Examples
    --------
    >>> true_positive_rates([1.0, 5.0], [2.0, 3.0, 4.0, 6.0], (0.25,))
    {0.25: 0.5}
    """
    genuine, impostor = checked_pairs(genuine, impostor)
    return {
        rate: float(np.count_nonzero(genuine < threshold) / len(genuine))
        for rate, threshold in thresholds_at(impostor, rates).items()
    }


def thresholds_at(impostor: ArrayLike, rates: tuple[float, ...]) -> dict[float, float]:
    """Compute the largest thresholds at given false positive rates.

    A pair is accepted if its distance is below the threshold.

    Parameters
    ----------
    impostor : array_like [M]
        Distances of pairs of two persons.
    rates : tuple of float
        False positive rates in (0, 1). A rate below 1/M has no entry: M pairs cannot show it.

    Examples
    --------
    >>> thresholds_at([2.0, 3.0, 4.0, 6.0], (0.25, 0.01))
    {0.25: 3.0}
    """
    impostor = np.asarray(impostor)
    # False positives allowed; 1e-9 for products such as 0.001 * 7000 that fall short of 7.
    allowed = {rate: math.floor(rate * len(impostor) + 1e-9) for rate in rates}
    allowed = {rate: count for rate, count in allowed.items() if count > 0}
    if not allowed:
        return {}
    ordered = np.partition(impostor, sorted(allowed.values()))
    return {rate: float(ordered[count]) for rate, count in allowed.items()}


def equal_error_rate(genuine: ArrayLike, impostor: ArrayLike) -> float:
    """Compute the equal error rate (EER): false negative rate equals false positive rate.

    It is where the ROC curve, its points joined by straight lines, crosses the diagonal of equal
    errors.

    Parameters
    ----------
    genuine, impostor : array_like [N], [M]
        Distances of pairs of one person, and of two.

    See Also
    --------
    true_positive_rates : Points of the ROC curve.

    Examples
    --------
    >>> equal_error_rate([1.0, 2.0], [3.0, 4.0])
    0.0
    """
    genuine, impostor = checked_pairs(genuine, impostor)
    thresholds, counts = np.unique(genuine, return_counts=True)
    refused = 1 - np.cumsum(counts) / len(genuine)

    def accepted(threshold: float, compare: np.ufunc) -> float:
        return np.count_nonzero(compare(impostor, threshold)) / len(impostor)

    # With the threshold false positives grow and false negatives fall: a bisection counts the many
    # impostor pairs a few times and need not sort them.
    low, high = 0, len(thresholds) - 1
    while low < high:
        middle = (low + high) // 2
        if accepted(thresholds[middle], np.less_equal) >= refused[middle]:
            high = middle
        else:
            low = middle + 1
    positives = accepted(thresholds[low], np.less), accepted(thresholds[low], np.less_equal)
    negatives = refused[low] + counts[low] / len(genuine), refused[low]
    before, after = (n - p for n, p in zip(negatives, positives, strict=True))
    if before <= 0:  # crossed before this genuine pair, where negatives are constant
        return float(negatives[0])
    share = before / (before - after)
    return float(positives[0] + share * (positives[1] - positives[0]))


def checked_pairs(genuine: ArrayLike, impostor: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return arrays [N], [M] of what is known of pairs; a ValueError names one that is not that."""
    genuine, impostor = np.asarray(genuine), np.asarray(impostor)
    for name, values in (("genuine", genuine), ("impostor", impostor)):
        if values.ndim != 1 or not len(values):
            raise ValueError(f"{name} has shape {values.shape}: expected one number a pair")
    return genuine, impostor
