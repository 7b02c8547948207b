"""Pipelines of Section V-C: normalisation, PCA, then a metric.

Row-pooled cubes have up to 9,000 dimensions and a few hundred samples: covariances can only be
estimated after PCA.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer

from wherewhen.metric_learning.pca import CappedPCA
from wherewhen.metric_learning.registry import METRICS

Distance = Callable[[ArrayLike, ArrayLike], np.ndarray]
"""From probes [P, D] and gallery [G, D] to [P, G]."""


def metric_pipeline(
    kind: str,
    dimension: int = 150,
    normalise: bool = True,
    random_state: int = 0,
    **options: Any,
) -> Pipeline:
    """Build the pipeline that learns a metric.

    Parameters
    ----------
    kind : str
        A key of `registry.METRICS`.
    dimension : int
        Dimensions after PCA, at most those that the samples allow; not every metric has a PCA
        before it.
    normalise : bool
        Normalise vectors to length 1 first, as the cosine does: the strength of features depends
        more on the light than on the person.
    random_state : int
        The seed of every random draw.
    **options
        Parameters of the metric's estimator.

    Returns
    -------
    sklearn.pipeline.Pipeline
        With the steps ``normalise`` (optional), ``pca`` (where the metric has it) and the metric's
        name. Cameras reach a metric by ``fit(vectors, persons, xqda__cameras=cameras)``.

    Raises
    ------
    ValueError
        If the metric or one of its parameters is unknown, naming the known ones.

    See Also
    --------
    fit_metrics : Fits several, with one PCA.
    distance_of : The distance of a fitted pipeline.

    Examples
    --------
    >>> list(metric_pipeline("lfda", dimension=20, k=5).named_steps)
    ['normalise', 'pca', 'lfda']
    """
    if kind not in METRICS:
        raise ValueError(f"no metric {kind!r}: expected one of {', '.join(sorted(METRICS))}")
    estimator = METRICS[kind].estimator()()
    if "random_state" in estimator.get_params():
        options = {"random_state": random_state} | options
    estimator.set_params(**options)
    steps: list[tuple[str, BaseEstimator]] = [("normalise", Normalizer())] if normalise else []
    if METRICS[kind].after_pca:
        steps.append(("pca", CappedPCA(dimension, random_state)))
    return Pipeline([*steps, (kind, estimator)])


class Space(NamedTuple):
    """A metric in two steps, so that vectors are projected once and compared often."""

    project: Callable[[ArrayLike], np.ndarray]
    """Maps vectors [N, D] to float64 [N, E]."""
    distance: Distance
    """Maps projected probes [P, E] and gallery [G, E] to float64 [P, G]."""


def space_of(metric: Pipeline | BaseEstimator, euclidean: Distance = cdist) -> Space:
    """Split a fitted metric into its projection and the distance of projected vectors.

    Parameters
    ----------
    metric : sklearn.pipeline.Pipeline or estimator
        A fitted pipeline of `metric_pipeline`, or a fitted estimator alone.
    euclidean : callable
        Computes Euclidean distances.

    Returns
    -------
    Space
        The distance is the ``distance`` of the last step if it has one, else Euclidean after its
        ``transform``.

    Raises
    ------
    TypeError
        If the last step has neither.

    Examples
    --------
    >>> from sklearn.preprocessing import Normalizer
    >>> project, distance = space_of(Normalizer().fit([[1.0, 0.0]]))
    >>> distance(project([[2.0, 0.0]]), project([[0.0, 5.0]])).round(2).tolist()
    [[1.41]]
    """
    steps = [step for _, step in metric.steps] if isinstance(metric, Pipeline) else [metric]
    if hasattr(steps[-1], "distance"):
        distance = steps.pop().distance
    elif hasattr(steps[-1], "transform"):
        distance = euclidean
    else:
        raise TypeError(
            f"{type(steps[-1]).__name__} has neither distance nor transform: expected a fitted "
            "metric, or a pipeline that ends in one"
        )

    def project(vectors: ArrayLike) -> np.ndarray:
        for step in steps:
            vectors = step.transform(vectors)
        return vectors

    return Space(project, distance)


def distance_of(metric: Pipeline | BaseEstimator, euclidean: Distance = cdist) -> Distance:
    """Return the distance of vectors by a fitted metric: both steps of `space_of` together."""
    project, distance = space_of(metric, euclidean)
    return lambda probes, gallery: distance(project(probes), project(gallery))


def fit_metrics(
    vectors: np.ndarray,
    persons: ArrayLike,
    cameras: ArrayLike,
    options: Mapping[str, Mapping[str, Any]],
    dimension: int = 150,
) -> dict[str, Pipeline]:
    """Fit several metrics on the same vectors; equal steps before them are fitted once.

    Parameters
    ----------
    vectors : numpy.ndarray [N, D]
        Vectors of training persons.
    persons, cameras : array_like [N]
        The person and the camera of each; only metrics ``across_cameras`` get the cameras.
    options : mapping
        The metrics to learn by name, and arguments of `metric_pipeline` for each.
    dimension : int
        See `metric_pipeline`; for metrics whose options have none.

    Returns
    -------
    dict of str to sklearn.pipeline.Pipeline
        Fitted pipelines of `metric_pipeline`; equal steps before the metric are shared.

    See Also
    --------
    wherewhen.metric_learning.choose : Chooses dimension and shrinkage.

    Examples
    --------
    >>> X = np.array([[1.0, 9.0], [1.2, 8.8], [5.0, 5.5], [5.3, 5.0]])
    >>> metrics = fit_metrics(X, ["p", "p", "q", "q"], [1, 2, 1, 2], {"kissme": {}}, dimension=1)
    >>> distance_of(metrics["kissme"])(X[:1], X).argmin()
    np.int64(0)
    """
    heads: dict[str, tuple[list, np.ndarray]] = {}
    fitted = {}
    for kind, given in options.items():
        *before, (_, learner) = metric_pipeline(kind, **{"dimension": dimension, **given}).steps
        key = str(before)  # classes and parameters
        if key not in heads:
            projected = vectors
            for _, step in before:
                projected = step.fit_transform(projected)
            heads[key] = before, projected
        before, projected = heads[key]
        learner.fit(projected, persons, cameras if METRICS[kind].across_cameras else None)
        fitted[kind] = Pipeline([*before, (kind, learner)])
    return fitted
