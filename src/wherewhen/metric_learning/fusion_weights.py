"""Weights of a fusion, chosen from training persons by cross-validation.

The persons are divided into folds, as for the shrinkage of metrics (`selection`): a part's metric
is learned from those of the other folds, those of the fold are searched for across cameras by the
weighted sum, and the weights with the highest mean average precision are used. They are shares on
a grid over the simplex: a share may be 0, and then the part does not count.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from wherewhen.metric_learning.pipeline import Distance, distance_of
from wherewhen.metric_learning.registry import METRICS
from wherewhen.metric_learning.selection import (
    FOLDS,
    PER_FOLD,
    divide,
    mean_average_precision,
    means_of_views,
)

STEPS = 12
"""Weights are multiples of a twelfth, as equal ones of two, three, four or six parts are."""


class FusionPart(NamedTuple):
    """What is fused, on training samples.

    Attributes
    ----------
    vectors : numpy.ndarray [N, D]
        Vectors of training persons.
    measure : Pipeline or callable
        A pipeline of `metric_pipeline`, which is fitted anew in each fold with its parameters; or
        a distance that needs no learning.
    """

    vectors: np.ndarray
    measure: Pipeline | Distance


class Weighting(NamedTuple):
    """Weights, and how well they find persons who were held out.

    Attributes
    ----------
    weights : tuple of float
        One a part; they sum to 1.
    mean_ap : float
        Mean average precision of held-out persons; NaN where nothing was tried.
    chosen : bool
        Whether these are the weights that are used.
    """

    weights: tuple[float, ...]
    mean_ap: float
    chosen: bool


def choose_weights(
    parts: Sequence[FusionPart], persons: ArrayLike, cameras: ArrayLike, random_state: int = 0
) -> list[Weighting]:
    """Choose the weights of parts.

    Parameters
    ----------
    parts : sequence of FusionPart
        All on the same N samples.
    persons, cameras : array_like [N]
        The person and the camera of each.
    random_state : int
        The seed by which persons are divided.

    Returns
    -------
    list of Weighting
        All weights that were tried; one is chosen: of equally good ones those that differ least
        from part to part.

    Warns
    -----
    UserWarning
        If fewer than ten persons were seen by several cameras, or a part can't be learned from
        the persons of four folds: then all weights are equal.

    See Also
    --------
    wherewhen.retrieval.fusion.fuse : Takes the weights.

    Notes
    -----
    What a part's *features* were learned from is not held out. A network that was trained on these
    persons tells them apart better than strangers, so its weight comes out too large.

    Examples
    --------
    >>> from scipy.spatial.distance import cdist
    >>> world, person, camera = np.random.default_rng(0), np.arange(40) // 2, np.arange(40) % 2
    >>> telling, noise = world.normal(size=(20, 4))[person], world.normal(size=(40, 4))
    >>> parts = [FusionPart(telling, cdist), FusionPart(noise, cdist)]
    >>> tried = choose_weights(parts, person, camera)
    >>> [best] = [each for each in tried if each.chosen]
    >>> best.weights[0] > best.weights[1], best.mean_ap
    (True, 1.0)
    """
    persons, cameras = np.asarray(persons), np.asarray(cameras)
    folds = divide(persons, cameras, random_state)
    why = f"fewer than {PER_FOLD * FOLDS} training persons were seen by several cameras"
    scores = []
    grid = sorted(_simplex(len(parts)), key=lambda weights: float(np.square(weights).sum()))
    try:
        for held in folds:
            distances, who, where = _held_out(parts, persons, cameras, held)
            scores.append(
                [
                    mean_average_precision(np.tensordot(weights, distances, 1), who, where)
                    for weights in grid
                ]
            )
    except ValueError as error:
        why, scores = str(error), []
    if not scores:
        warnings.warn(f"equal weights, not chosen by cross-validation: {why}", stacklevel=2)
        return [Weighting((1 / len(parts),) * len(parts), np.nan, True)]
    means = np.mean(scores, axis=0)
    # rounded: weights that rank alike may differ in the last digit of a mean
    best = int(np.argmax(means.round(12)))
    return [
        Weighting(tuple(weights.tolist()), float(score), number == best)
        for number, (weights, score) in enumerate(zip(grid, means, strict=True))
    ]


def _simplex(parts: int) -> Iterator[np.ndarray]:
    """Yield all shares of `parts`, multiples of 1 / `STEPS`, that sum to 1."""
    for bars in combinations(range(STEPS + parts - 1), parts - 1):
        yield (np.diff([-1, *bars, STEPS + parts - 1]) - 1) / STEPS


def _held_out(
    parts: Sequence[FusionPart], persons: np.ndarray, cameras: np.ndarray, held: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compare the persons of a fold by parts that have not seen them.

    Returns
    -------
    distances : numpy.ndarray [K, M, M]
        Of each part, between the mean vectors of each person in a camera. They are divided by
        their deviation across cameras; their mean, which a z-score takes off, changes no ranking.
    persons, cameras : numpy.ndarray [M]
        The labels of the means.
    """
    distances = []
    for vectors, measure in parts:
        means, who, where = means_of_views(vectors[held], persons[held], cameras[held])
        if isinstance(measure, Pipeline):
            measure = _learn(measure, vectors[~held], persons[~held], cameras[~held])
        found = measure(means, means)
        deviation = found[where[:, None] != where].std()
        if not deviation > 0:
            raise ValueError(f"distances of held-out persons have the deviation {deviation}")
        distances.append(found / deviation)
    return np.stack(distances), who, where


def _learn(
    metric: Pipeline, vectors: np.ndarray, persons: np.ndarray, cameras: np.ndarray
) -> Distance:
    """Fit a copy of a metric's pipeline."""
    kind = metric.steps[-1][0]
    given = {f"{kind}__cameras": cameras} if METRICS[kind].across_cameras else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a fold allows fewer dimensions than all
        return distance_of(clone(metric).fit(vectors, persons, **given))
