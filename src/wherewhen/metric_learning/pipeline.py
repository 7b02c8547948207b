"""The pipeline of the paper's Section V-C: PCA, then a metric, ready for Euclidean distances.

Row-pooled cubes have up to 9,000 dimensions and come in a few hundred samples: covariances can only
be estimated after PCA. RankSVM estimates none and has no PCA before it, see `WITHOUT_PCA`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer
from sklearn.utils.validation import check_is_fitted, validate_data

from wherewhen.metric_learning.kissme import KISSME
from wherewhen.metric_learning.lfda import LFDA
from wherewhen.metric_learning.rank_svm import RankSVM
from wherewhen.metric_learning.xqda import XQDA

Distance = Callable[[ArrayLike, ArrayLike], np.ndarray]
"""From probes [P, D] and gallery [G, D] to [P, G]."""

METRICS = {"kissme": KISSME, "lfda": LFDA, "rank_svm": RankSVM, "xqda": XQDA}
"""The estimators by the name used in tables of scores."""

WITHOUT_PCA = ("rank_svm",)
"""RankSVM weighs the absolute differences of single features, which depend on the axes: after PCA
it would weigh principal components and no longer the bins of histograms, as the original does."""

ACROSS_CAMERAS = ("rank_svm", "xqda")
"""These are told the cameras: XQDA is made of pairs across them, RankSVM ranks other cameras."""

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
    kind : {"kissme", "lfda", "rank_svm", "xqda"}
        The metric.
    dimension : int
        Dimensions after PCA, capped by what the samples allow; RankSVM has no PCA before it.
    normalise : bool
        Divide every vector by its length first, as the cosine does: how strongly the features fire
        says more about the light than about the person.
    random_state : int
        The seed of whatever is drawn.
    **options
        Parameters of `KISSME`, `LFDA`, `RankSVM` or `XQDA`.

    Returns
    -------
    sklearn.pipeline.Pipeline
        With the steps ``normalise`` (optional), ``pca`` (not before RankSVM) and the metric's name;
        after ``fit(vectors, persons)``, `distance_of` tells how it measures. All but RankSVM have a
        ``transform`` to vectors that are compared by Euclidean distance. Cameras reach KISSME by
        ``fit(vectors, persons, kissme__cameras=cameras)``, RankSVM and XQDA likewise.

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
    if kind not in WITHOUT_PCA:
        steps += [("pca", CappedPCA(dimension, random_state))]
    return Pipeline([*steps, (kind, METRICS[kind](**options))])


def distance_of(metric: Pipeline, euclidean: Distance = cdist) -> Distance:
    """Tell how a fitted metric measures.

    Parameters
    ----------
    metric : sklearn.pipeline.Pipeline
        As `metric_pipeline` builds them, fitted.
    euclidean : callable
        What measures Euclidean distances; one by products of matrices is faster than SciPy's.

    Returns
    -------
    callable
        ``distance(probes [P, D], gallery [G, D]) -> float64 [P, G]`` of vectors as they come: by
        the ``distance`` of the last step if it has one, else Euclidean after ``transform``.
    """
    *before, (_, last) = metric.steps
    by_itself = hasattr(last, "distance")
    steps = [step for _, step in before] + ([] if by_itself else [last])
    measure = last.distance if by_itself else euclidean

    def distance(probes: ArrayLike, gallery: ArrayLike) -> np.ndarray:
        for step in steps:
            probes, gallery = step.transform(probes), step.transform(gallery)
        return measure(probes, gallery)

    return distance


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
        Who they show, and where. The metrics of `ACROSS_CAMERAS` are told the cameras.
    options : mapping
        For every metric to learn, by name, its parameters.
    dimension : int
        Dimensions after PCA, capped by what the samples allow.

    Returns
    -------
    dict of str to sklearn.pipeline.Pipeline
        As `metric_pipeline` builds them, fitted; equal steps before the metric are shared.
    """
    pipelines = {kind: metric_pipeline(kind, dimension, **given) for kind, given in options.items()}
    heads: dict[tuple[str, ...], tuple[list, np.ndarray]] = {}
    fitted = {}
    for kind, pipeline in pipelines.items():
        *names, _ = pipeline.named_steps
        if tuple(names) not in heads:
            projected = vectors
            for name in names:
                projected = pipeline.named_steps[name].fit_transform(projected)
            heads[tuple(names)] = pipeline.steps[:-1], projected
        steps, projected = heads[tuple(names)]
        across = {"cameras": cameras} if kind in ACROSS_CAMERAS else {}
        metric = pipeline.named_steps[kind].fit(projected, persons, **across)
        fitted[kind] = Pipeline([*steps, (kind, metric)])
    return fitted
