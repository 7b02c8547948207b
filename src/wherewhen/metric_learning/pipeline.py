"""The pipeline of the paper's Section V-C: PCA, then a metric, ready for Euclidean distances.

Row-pooled cubes have up to 9,000 dimensions and come in a few hundred samples: covariances can only
be estimated after PCA.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer
from sklearn.utils.validation import check_is_fitted, validate_data

from wherewhen.metric_learning.kissme import KISSME
from wherewhen.metric_learning.lfda import LFDA
from wherewhen.metric_learning.xqda import XQDA

METRICS = {"kissme": KISSME, "lfda": LFDA, "xqda": XQDA}
"""The estimators by the name used in tables of scores."""

_EXACT = 1000
"""Up to this many samples or dimensions PCA is exact: a second or so. Beyond, it is randomised."""


class CappedPCA(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """PCA whose dimension gives way, with a warning, to what the samples allow.

    Parameters
    ----------
    dimension : int
        The dimensions wanted (150 in Section V-C). n samples span n - 1 dimensions about their
        mean, and vectors of D dimensions D: the smallest of the three is used.
    random_state : int or None
        The seed where the decomposition is randomised (more than 1,000 samples and dimensions).

    Attributes
    ----------
    dimension_ : int
        The dimensions used.
    pca_ : sklearn.decomposition.PCA
        The fitted decomposition.
    n_features_in_ : int
        D.
    """

    def __init__(self, dimension: int = 150, random_state: int | None = 0):
        self.dimension = dimension
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Find the principal components.

        Parameters
        ----------
        X : array_like [N, D]
            The vectors.
        y : ignored
            For scikit-learn's pipelines.

        Returns
        -------
        CappedPCA
            This estimator.
        """
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        if self.dimension < 1:
            raise ValueError(f"PCA dimension is {self.dimension}: expected at least 1")
        samples, dimensions = X.shape
        self.dimension_ = min(self.dimension, samples - 1, dimensions)
        if self.dimension_ < self.dimension:
            warnings.warn(
                f"PCA to {self.dimension} dimensions is not possible with {samples} samples of "
                f"{dimensions} dimensions: {self.dimension_} are used",
                UserWarning,
                stacklevel=2,
            )
        # Which solver runs depends on the shape alone, so that equal data give equal results.
        solver = "full" if min(X.shape) <= _EXACT else "randomized"
        self.pca_ = PCA(self.dimension_, svd_solver=solver, random_state=self.random_state).fit(X)
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Project vectors on the principal components.

        Parameters
        ----------
        X : array_like [N, D]
            The vectors.

        Returns
        -------
        numpy.ndarray, float64 [N, dimension_]
            The projected vectors, not whitened.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return self.pca_.transform(X)

    @property
    def _n_features_out(self) -> int:
        return self.dimension_


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
    kind : {"kissme", "lfda", "xqda"}
        The metric.
    dimension : int
        Dimensions after PCA, capped by what the samples allow.
    normalise : bool
        Divide every vector by its length first, as the cosine does: how strongly the features fire
        says more about the light than about the person.
    random_state : int
        The seed of whatever is drawn.
    **options
        Parameters of `KISSME`, `LFDA` or `XQDA`.

    Returns
    -------
    sklearn.pipeline.Pipeline
        With the steps ``normalise`` (optional), ``pca`` and the metric's name; after
        ``fit(vectors, persons)``, ``transform`` gives vectors to be compared by Euclidean distance.
        Cameras reach KISSME by ``fit(vectors, persons, kissme__cameras=cameras)``, XQDA likewise.

    Raises
    ------
    ValueError
        If the metric or one of its parameters is unknown, naming the known ones.
    """
    if kind not in METRICS:
        raise ValueError(f"no metric {kind!r}: expected one of {', '.join(sorted(METRICS))}")
    known = METRICS[kind]().get_params()
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(
            f"metric {kind!r} has no parameter {', '.join(unknown)}: expected among "
            + ", ".join(sorted(known))
        )
    if "random_state" in known:
        options = {"random_state": random_state} | options
    steps: list[tuple[str, Any]] = [("normalise", Normalizer())] if normalise else []
    steps += [("pca", CappedPCA(dimension, random_state)), (kind, METRICS[kind](**options))]
    return Pipeline(steps)


def fit_metrics(
    vectors: np.ndarray,
    persons: ArrayLike,
    cameras: ArrayLike,
    options: Mapping[str, Mapping[str, Any]],
    dimension: int = 150,
) -> dict[str, Pipeline]:
    """Fit several metrics on the same vectors, their PCA once.

    Parameters
    ----------
    vectors : numpy.ndarray [N, D]
        The training persons' vectors.
    persons, cameras : array_like [N]
        Who they show, and where. XQDA alone is told the cameras: it is made of pairs across them.
    options : mapping
        For every metric to learn, by name, its parameters.
    dimension : int
        Dimensions after PCA, capped by what the samples allow.

    Returns
    -------
    dict of str to sklearn.pipeline.Pipeline
        As `metric_pipeline` builds them, fitted; the steps before the metric are shared.
    """
    pipelines = {kind: metric_pipeline(kind, dimension, **given) for kind, given in options.items()}
    if not pipelines:
        return {}
    head = next(iter(pipelines.values()))[:-1]
    projected = head.fit_transform(vectors)
    fitted = {}
    for kind, pipeline in pipelines.items():
        across = {"cameras": cameras} if kind == "xqda" else {}
        metric = pipeline.named_steps[kind].fit(projected, persons, **across)
        fitted[kind] = Pipeline([*head.steps, (kind, metric)])
    return fitted
