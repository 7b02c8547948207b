"""Confidence intervals of means over probes, by the bootstrap.

They estimate how much a mean depends on the choice of probes. The deviation over trials estimates
how much it depends on the split and on the training's seed. Neither contains the other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def bootstrap_means(
    values: ArrayLike, confidence: float = 0.95, resamples: int = 1000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate percentile intervals of the means of some measures over probes.

    Parameters
    ----------
    values : array_like [P, M]
        What each probe contributes to each of M means.
    confidence : float
        The share of resampled means inside the interval, in (0, 1).
    resamples : int
        The number of bootstrap samples of P probes. All measures share the samples, and so do calls
        with the same seed and number of probes.
    seed : int
        The seed of the draws.

    Returns
    -------
    low, high : numpy.ndarray, float64 [M]
        The intervals' ends.

    Raises
    ------
    ValueError
        If there is no probe or a parameter is out of range.

    Examples
    --------
    >>> low, high = bootstrap_means([[0.0], [1.0]], resamples=200)
    >>> low.tolist(), high.tolist()
    ([0.0], [1.0])

    Notes
    -----
    B. Efron, R. Tibshirani: An Introduction to the Bootstrap. 1993, chapter 13. Probes are drawn as
    if they were independent: several probes of one person make the interval somewhat too narrow.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"values have shape {values.shape}: expected [probes, measures]")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}: expected between 0 and 1, such as 0.95")
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}: expected at least 1")
    generator = np.random.default_rng(seed)
    probes = len(values)
    means = np.empty((resamples, values.shape[1]))
    for resample in means:
        times = np.bincount(generator.integers(probes, size=probes), minlength=probes)
        resample[:] = times @ values / probes
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return low, high
