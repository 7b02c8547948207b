"""Fusion: the distances of several features and metrics as one, by their z-scores.

The parts have different scales, so each is standardised first, and then they are summed with
weights: the z-score and the weighted sum of A. Jain, K. Nandakumar, A. Ross: Score normalization
in multimodal biometric systems. Pattern Recognition 38, 2005.

    fused = sum over parts k of w_k (d_k - mean_k) / deviation_k

The mean and the deviation are those of all pairs that the protocol ranks, over all probes. A
probe's ranking depends on the ratios w_k / deviation_k alone. With the deviation of its own row
they would differ from probe to probe, and a part by which the whole gallery looks alike would be
blown up to the same spread as the others; also, distances of different probes could no longer be
compared with one threshold.

So a fused distance depends on all probes, which a single search does not have, but on two numbers
a part alone, and on no labels but those by which the protocol leaves pairs out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from wherewhen.retrieval.task import Task


def fuse(tasks: Sequence[Task], weights: ArrayLike | None = None) -> np.ndarray:
    """Compute the weighted sum of z-scored distances.

    Parameters
    ----------
    tasks : sequence of Task
        The parts: distances of the same probes and gallery, under the same protocol.
    weights : array_like [K], optional
        The weight of each part, none below 0; they count by their ratios. All alike without.

    Returns
    -------
    numpy.ndarray, float64 [P, G]
        Smaller is more alike; about half of the values are negative.

    Raises
    ------
    ValueError
        If the parts are of different probes, galleries or protocols, weights do not fit, or the
        distances of a part are all equal or not finite, so that they have no z-score.

    See Also
    --------
    wherewhen.metric_learning.choose_weights : Learns weights from training persons.

    Examples
    --------
    >>> labels = ["x"], ["x", "y"], ["1"], ["2", "2"]
    >>> near, far = Task([[1.0, 3.0]], *labels), Task([[90.0, 80.0]], *labels)
    >>> fuse([near, far], weights=[3, 1]).tolist()
    [[-0.5, 0.5]]
    """
    shares = shares_of(weights, len(tasks))
    first = tasks[0]
    fused = np.zeros(first.distances.shape)
    for number, (task, share) in enumerate(zip(tasks, shares, strict=True)):
        if task.distances.shape != fused.shape or task.rules != first.rules:
            raise ValueError(
                f"part {number} has {task.distances.shape} distances under {task.rules.name}, the "
                f"first {fused.shape} under {first.rules.name}: expected the same probes, gallery "
                "and protocol"
            )
        ranked = np.concatenate(task.pairs()).astype(np.float64)
        mean, deviation = ranked.mean(), ranked.std()
        if not np.isfinite(deviation) or deviation == 0:
            raise ValueError(
                f"the distances of part {number} have the deviation {deviation}, so they have no "
                "z-scores: expected finite ones that differ; check its features"
            )
        fused += share / deviation * (task.distances - mean)
    return fused


def shares_of(weights: ArrayLike | None, parts: int) -> np.ndarray:
    """Return weights as shares, float64 [parts], which sum to 1; equal ones for None.

    Raises
    ------
    ValueError
        If there is no part, there are not as many weights, one is negative or not finite, or all
        are 0.
    """
    weights = np.ones(parts) if weights is None else np.asarray(weights, dtype=np.float64)
    if weights.shape != (parts,) or not parts:
        raise ValueError(f"there are {parts} parts, but weights of shape {weights.shape}")
    if not np.isfinite(weights).all() or weights.min() < 0 or weights.sum() == 0:
        raise ValueError(f"weights are {weights.tolist()}: expected none below 0, and one above")
    return weights / weights.sum()
