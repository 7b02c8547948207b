"""Open-set figures: is this the person at all? Every pair is accepted or refused by its distance.

A ranking always has a first place, whether or not the person is in the gallery. Who must decide
sets a threshold, and asks how many true pairs pass it when so and so many wrong ones do.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike


def true_positive_rates(
    genuine: ArrayLike, impostor: ArrayLike, rates: tuple[float, ...] = (0.01, 0.001)
) -> dict[float, float]:
    """Find the share of true pairs that a threshold accepts at a given false positive rate.

    Parameters
    ----------
    genuine, impostor : array_like [N], [M]
        Distances of pairs of one person, and of two.
    rates : tuple of float
        False positive rates, in (0, 1).

    Returns
    -------
    dict of float to float
        For every rate the largest true positive rate of a threshold whose false positive rate is
        not above it; nothing is interpolated. A rate below 1/M has no entry: so few pairs can't
        show it.
    """
    genuine, impostor = _checked(genuine, impostor)
    # So many wrong pairs may pass; 1e-9 for products such as 0.001 * 7000 that fall short of 7.
    allowed = {rate: math.floor(rate * len(impostor) + 1e-9) for rate in rates}
    allowed = {rate: count for rate, count in allowed.items() if count > 0}
    if not allowed:
        return {}
    ordered = np.partition(impostor, sorted(allowed.values()))
    return {
        rate: float(np.count_nonzero(genuine < ordered[count]) / len(genuine))
        for rate, count in allowed.items()
    }


def equal_error_rate(genuine: ArrayLike, impostor: ArrayLike) -> float:
    """Find the rate at which as large a share of true pairs is refused as of wrong ones accepted.

    Parameters
    ----------
    genuine, impostor : array_like [N], [M]
        Distances of pairs of one person, and of two.

    Returns
    -------
    float
        Where the ROC curve, its points joined by straight lines, crosses the diagonal of equal
        errors.
    """
    genuine, impostor = _checked(genuine, impostor)
    thresholds, counts = np.unique(genuine, return_counts=True)
    refused = 1 - np.cumsum(counts) / len(genuine)

    def accepted(threshold: float, compare: np.ufunc) -> float:
        return np.count_nonzero(compare(impostor, threshold)) / len(impostor)

    # False positives grow with the threshold, false negatives fall: bisect, so that the many wrong
    # pairs are counted a few times and never sorted.
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
    if before <= 0:  # crossed between this true pair and the one before, where negatives stand
        return float(negatives[0])
    share = before / (before - after)
    return float(positives[0] + share * (positives[1] - positives[0]))


def _checked(genuine: ArrayLike, impostor: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    genuine, impostor = np.asarray(genuine), np.asarray(impostor)
    for name, distances in (("genuine", genuine), ("impostor", impostor)):
        if distances.ndim != 1 or not len(distances):
            raise ValueError(f"{name} has shape {distances.shape}: expected distances of pairs")
    return genuine, impostor
