"""Dimension and shrinkage chosen from training persons by cross-validation.

Covariances are estimated badly from few persons in many dimensions, and how many are too many
depends on the persons and on the features. So the persons are divided into folds: those of the
other folds teach a metric, and those of the fold, whom it has not seen, are searched for across
cameras, as in a test (M. Stone: Cross-Validatory Choice and Assessment of Statistical Predictions.
JRSS B 36, 1974).

Among few persons many values find about as many of them, and which of these is the best is chance.
So the largest of those is taken that are within one standard error of the best, as the rule of one
standard error does towards simpler models (L. Breiman, J. H. Friedman, R. A. Olshen, C. J. Stone:
Classification and Regression Trees. 1984, section 3.4.3), here towards more dimensions, and of
those more shrinkage (``docs/explanation/recipe.md`` has what it gains).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from wherewhen.metric_learning.pipeline import metric_pipeline
from wherewhen.metric_learning.registry import AUTO, METRICS

DIMENSIONS = (10, 20, 30, 40, 60, 80, 100, 150, 200, 300)
"""Dimensions that are tried: up to twice that of the paper (Section V-C), since 1,000 persons
teach more than 150 (``docs/explanation/learning.md``)."""

FOLDS = 5

PER_FOLD = 2
"""The fewest persons of a fold who were seen by several cameras: one alone is always found."""

Values = tuple[int | None, float | None]
"""A dimension and a shrinkage; None for what the metric does not have."""

Folds = Sequence[np.ndarray]
"""For each division, which samples are held out, bool [N]."""


class Candidate(NamedTuple):
    """Values of a metric, and how well they find persons who were held out.

    Attributes
    ----------
    metric : str
        The metric.
    dimension : int or None
        The dimension after PCA; None for a metric without.
    shrinkage : float or None
        The value of `MetricKind.shrinkage`; None for a metric without.
    mean_ap : float
        Mean average precision of held-out persons; NaN where nothing was tried, or where the metric
        can't be learned with these values.
    chosen : bool
        Whether these are the values that are used.
    """

    metric: str
    dimension: int | None
    shrinkage: float | None
    mean_ap: float
    chosen: bool


def choose(
    vectors: np.ndarray,
    persons: ArrayLike,
    cameras: ArrayLike,
    options: Mapping[str, Mapping[str, Any]],
    dimension: int | str = AUTO,
    random_state: int = 0,
) -> tuple[dict[str, dict[str, Any]], list[Candidate]]:
    """Choose the values that are ``auto``, for each metric by itself.

    Parameters
    ----------
    vectors : numpy.ndarray [N, D]
        Vectors of training persons.
    persons, cameras : array_like [N]
        The person and the camera of each.
    options : mapping
        The metrics by name, and arguments of `metric_pipeline` for each; the metric's
        `MetricKind.shrinkage` may be ``auto``.
    dimension : int or "auto"
        The dimension after PCA, of all metrics.
    random_state : int
        The seed by which persons are divided.

    Returns
    -------
    options : dict
        What `fit_metrics` takes: the given options with ``dimension``, and without ``auto``.
    candidates : list of Candidate
        All values that were tried, or the fixed ones; one of each metric is chosen, by
        `largest_of_the_best`.

    Raises
    ------
    ValueError
        If a metric or a parameter is unknown.

    Warns
    -----
    UserWarning
        If fewer than ten persons were seen by several cameras, or nothing that is tried can be
        learned: then the largest dimension and `Shrinkage.fallback` are used.

    See Also
    --------
    cross_validate : Scores the candidates.
    largest_of_the_best : Chooses one of them.

    Examples
    --------
    >>> world, person, camera = np.random.default_rng(0), np.arange(80) // 4, np.arange(80) // 2 % 2
    >>> X = world.normal(size=(20, 30))[person] + world.normal(size=(80, 30))
    >>> options, tried = choose(X, person, camera, {"kissme": {"shrinkage": "auto"}}, 10)
    >>> [best] = [each for each in tried if each.chosen]
    >>> options["kissme"] == {"dimension": 10, "shrinkage": best.shrinkage}
    True
    """
    persons, cameras = np.asarray(persons), np.asarray(cameras)
    folds = divide(persons, cameras, random_state)
    vectors = _in_their_span(vectors)
    learning = [len(vectors), *((~held).sum() for held in folds)]
    allowed = min(vectors.shape[1], min(learning) - 1, DIMENSIONS[-1])
    filled: dict[str, dict[str, Any]] = {}
    candidates: list[Candidate] = []
    for kind, given in options.items():
        grid = _grid(kind, given, dimension, int(allowed))
        scores = np.full((1, len(grid)), np.nan)
        if len(grid) > 1 and folds:
            scores = cross_validate(kind, given, grid, vectors, persons, cameras, folds)
        if len(grid) > 1 and np.isnan(scores).any(axis=0).all():
            grid, scores = [_fallback(kind, grid)], np.full((1, 1), np.nan)
            warnings.warn(_unchosen(kind, grid[0], folds), UserWarning, stacklevel=2)
        best = 0 if len(grid) == 1 else largest_of_the_best(scores)
        candidates += [
            Candidate(kind, *values, float(score), number == best)
            for number, (values, score) in enumerate(zip(grid, scores.mean(axis=0), strict=True))
        ]
        filled[kind] = {**given, **_as_options(kind, *grid[best])}
    return filled, candidates


def in_words(candidate: Candidate) -> str:
    """Say which values a candidate has, and how well they find persons who were held out."""
    kind = METRICS[candidate.metric]
    values = _as_options(candidate.metric, candidate.dimension, candidate.shrinkage)
    used = f"{kind.label} with " + ", ".join(f"{name} {value}" for name, value in values.items())
    if np.isnan(candidate.mean_ap):
        return used
    return f"{used}: mAP {100 * candidate.mean_ap:.1f} % of held-out training persons"


def divide(persons: np.ndarray, cameras: np.ndarray, random_state: int = 0) -> Folds:
    """Divide persons into folds; none where too few of them were seen by several cameras.

    Parameters
    ----------
    persons, cameras : numpy.ndarray [N]
        The person and the camera of each sample.
    random_state : int
        The seed.

    Returns
    -------
    list of numpy.ndarray of bool [N]
        The samples of each fold. Folds have as equal numbers as possible of persons in several
        cameras, and of persons in one.
    """
    seen = {who: len(np.unique(cameras[persons == who])) for who in np.unique(persons)}
    several = [who for who, number in seen.items() if number > 1]
    once = [who for who, number in seen.items() if number == 1]
    if len(several) < PER_FOLD * FOLDS:
        return []
    generator = np.random.default_rng(random_state)
    order = [*generator.permutation(several), *generator.permutation(once)]
    return [np.isin(persons, order[fold::FOLDS]) for fold in range(FOLDS)]


def cross_validate(
    kind: str,
    options: Mapping[str, Any],
    grid: Sequence[Values],
    vectors: np.ndarray,
    persons: np.ndarray,
    cameras: np.ndarray,
    folds: Folds,
) -> np.ndarray:
    """Score values of a metric by the persons of each fold, whom the others have not seen.

    The vectors of a person in a camera are averaged; each of these means is a probe, and the others
    of all other cameras are its gallery.

    Parameters
    ----------
    kind : str
        The metric.
    options : mapping
        Further arguments of `metric_pipeline`.
    grid : sequence of (int or None, float or None)
        Dimensions and shrinkages to try.
    vectors, persons, cameras
        As for `choose`.
    folds : sequence of numpy.ndarray of bool [N]
        Of `divide`.

    Returns
    -------
    numpy.ndarray [len(folds), len(grid)]
        The mean average precision in each fold; NaN where the metric can't be learned.
    """
    scores = np.full((len(folds), len(grid)), np.nan)
    for row, held in zip(scores, folds, strict=True):
        means, who, where = means_of_views(vectors[held], persons[held], cameras[held])
        largest = min(max(grid)[0], (~held).sum() - 1, vectors.shape[1])
        pipeline = metric_pipeline(kind, **{**options, **_as_options(kind, largest, grid[0][1])})
        head, learner = pipeline[:-1], pipeline[-1]
        learning, searched = head.fit_transform(vectors[~held]), head.transform(means)
        labels = persons[~held], cameras[~held] if METRICS[kind].across_cameras else None
        for number, (dimension, shrinkage) in enumerate(grid):
            learner.set_params(**_as_options(kind, None, shrinkage))
            # the first components of a PCA are those of a smaller one
            with suppress(ValueError):
                learner.fit(learning[:, :dimension], *labels)
                mapped = learner.transform(searched[:, :dimension])
                row[number] = mean_average_precision(cdist(mapped, mapped), who, where)
    return scores


def largest_of_the_best(scores: np.ndarray) -> int:
    """Choose the last candidate that is at most one standard error behind the best.

    Parameters
    ----------
    scores : numpy.ndarray [folds, C]
        Of C candidates, in the order of `choose`: by dimension, and of each by shrinkage. One with
        a NaN does not count; at least one has none.

    Returns
    -------
    int
        Its number. The error is that of the mean difference to the best over the folds: all
        candidates search for the same persons, so that what makes a fold easy does not count.

    Examples
    --------
    >>> largest_of_the_best(np.array([[0.7, 0.9, 0.8, 0.7], [0.6, 0.8, 0.9, 0.6]]))
    2
    """
    behind = scores[:, [np.nanargmax(scores.mean(axis=0))]] - scores
    error = behind.std(axis=0, ddof=1) / np.sqrt(len(scores))
    return int(np.flatnonzero(behind.mean(axis=0) <= error)[-1])


def means_of_views(
    vectors: np.ndarray, persons: np.ndarray, cameras: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average the vectors of each person in each camera.

    Parameters
    ----------
    vectors, persons, cameras
        As for `choose`.

    Returns
    -------
    means : numpy.ndarray, float64 [M, D]
        One of each person in each camera.
    persons, cameras : numpy.ndarray [M]
        Their labels.
    """
    _, first, view = np.unique(
        np.stack([_codes(persons), _codes(cameras)]), axis=1, return_index=True, return_inverse=True
    )
    sums = np.zeros((len(first), vectors.shape[1]))
    np.add.at(sums, view.ravel(), vectors)
    return sums / np.bincount(view.ravel())[:, None], persons[first], cameras[first]


def mean_average_precision(
    distances: np.ndarray, persons: np.ndarray, cameras: np.ndarray
) -> float:
    """Compute the mean average precision, each being a probe for those of all other cameras.

    Parameters
    ----------
    distances : numpy.ndarray [M, M]
        Between all.
    persons, cameras : numpy.ndarray [M]
        The person and the camera of each.

    Returns
    -------
    float
        The mean over those who have a match in another camera.
    """
    across = cameras[:, None] != cameras
    matches = across & (persons[:, None] == persons)
    nearest = np.argsort(np.where(across, distances, np.inf), axis=1, kind="stable")
    found = np.take_along_axis(matches, nearest, axis=1)[matches.any(axis=1)]
    precision = found.cumsum(axis=1) / np.arange(1, len(distances) + 1)
    return float(((precision * found).sum(axis=1) / found.sum(axis=1)).mean())


def _in_their_span(vectors: np.ndarray) -> np.ndarray:
    """Rotate few vectors of many dimensions into their span: PCA in each fold is then quick.

    Lengths and distances stay, and with them all that is computed but rounding.
    """
    if len(vectors) >= vectors.shape[1]:
        return vectors
    return np.linalg.qr(np.transpose(vectors), mode="r").T


def _grid(kind: str, given: Mapping[str, Any], dimension: int | str, allowed: int) -> list[Values]:
    """List what there is to choose from: dimensions up to what the samples of folds allow."""
    record = METRICS[kind]
    if not record.after_pca:
        return [(None, None)]
    dimensions = {min(each, allowed) for each in DIMENSIONS} if dimension == AUTO else {dimension}
    return [*product(sorted(dimensions), _shrinkages(kind, given))]


def _shrinkages(kind: str, given: Mapping[str, Any]) -> Sequence[float | None]:
    record = METRICS[kind].shrinkage
    if record is None:
        return [None]
    value = {**METRICS[kind].estimator()().get_params(), **given}[record.name]
    return record.tried if value == AUTO else [value]


def _fallback(kind: str, grid: Sequence[Values]) -> Values:
    """Return the largest dimension, and a shrinkage that was not chosen."""
    dimension, shrinkage = grid[-1]
    several = len({each for _, each in grid}) > 1
    return dimension, METRICS[kind].shrinkage.fallback if several else shrinkage


def _as_options(kind: str, dimension: int | None, shrinkage: float | None) -> dict[str, Any]:
    """Return values as arguments of `metric_pipeline`."""
    options: dict[str, Any] = {} if dimension is None else {"dimension": dimension}
    return options if shrinkage is None else options | {METRICS[kind].shrinkage.name: shrinkage}


def _codes(labels: np.ndarray) -> np.ndarray:
    return np.unique(labels, return_inverse=True)[1]


def _unchosen(kind: str, values: Values, folds: Folds) -> str:
    """Say why nothing was chosen, and what is used."""
    why = (
        "it can be learned with none of the values that are tried"
        if folds
        else f"fewer than {PER_FOLD * FOLDS} training persons were seen by several cameras"
    )
    used = in_words(Candidate(kind, *values, np.nan, True))
    return f"{used}, not chosen by cross-validation: {why}"
