"""Nodes of `evaluate`: distances from every metric, rankings and scores from every distance."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from wherewhen.pipelines.features import unlearned_metrics
from wherewhen.pipelines.parameters import EvaluateParameters
from wherewhen.pipelines.types import Metrics
from wherewhen.retrieval.calibration import expected_calibration_error, reliability
from wherewhen.retrieval.distances import cosine, euclidean
from wherewhen.retrieval.evaluate import rankings
from wherewhen.retrieval.protocols import protocol_named
from wherewhen.retrieval.re_ranking import SUFFIX, re_rank
from wherewhen.retrieval.scoring import score
from wherewhen.retrieval.task import Task
from wherewhen.tracklets.threads import one_thread

Space = tuple[str, np.ndarray, np.ndarray, Callable[[np.ndarray, np.ndarray], np.ndarray]]
"""A metric's name, probes and gallery, and its distance between them."""

Distances = Iterator[tuple[str, np.ndarray]]


def score_vectors(
    embeddings: pd.DataFrame, metrics: Metrics, parameters: EvaluateParameters, features: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score vectors by their angle and by the learned metrics.

    What looks at raw frames is scored by Euclidean distances, too: some of it is trained for them.
    """
    spaces = [*_spaces(embeddings, metrics), *_plain(embeddings, features)]
    return _score(embeddings, features, parameters, _distances(spaces, parameters))


def score_network(
    embeddings: pd.DataFrame,
    metrics: Metrics,
    logits: np.ndarray,
    parameters: EvaluateParameters,
    features: str,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Score a network's embeddings, also by the similarity that it was trained with (Eq 8).

    The third table says how far that similarity can be believed as a probability.
    """

    def distances() -> Distances:
        spaces = [*_spaces(embeddings, metrics), *_plain(embeddings, features)]
        yield from _distances(spaces, parameters)
        yield "siamese", -logits

    scores, ranked = _score(embeddings, features, parameters, distances())
    names = _names(embeddings, parameters)
    genuine, impostor = Task(-logits, **names).pairs()
    table = reliability(expit(-genuine), expit(-impostor))
    row = _row(embeddings, features, "siamese", parameters)
    error = pd.DataFrame([{**row, "measure": "ece", "value": expected_calibration_error(table)}])
    return pd.concat([scores, error], ignore_index=True), ranked, table.assign(**row)


def collect(*tables: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Put the scores and the rankings of all trials together."""
    half = len(tables) // 2
    scores, ranked = tables[:half], tables[half:]
    return pd.concat(scores, ignore_index=True), pd.concat(ranked, ignore_index=True)


def collect_reliability(*tables: pd.DataFrame) -> pd.DataFrame:
    """Put the reliability of all trials together."""
    return pd.concat(tables, ignore_index=True)


def _tested(embeddings: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Take the vectors of probes and gallery."""
    probes, gallery = (
        np.stack(embeddings[embeddings.role == role].vector.to_list()).astype(np.float64)
        for role in ("probe", "gallery")
    )
    return probes, gallery


def _spaces(embeddings: pd.DataFrame, metrics: Metrics) -> Iterator[Space]:
    from wherewhen.metric_learning.pipeline import distance_of  # scikit-learn: a second

    probes, gallery = _tested(embeddings)
    yield "cosine", probes, gallery, cosine
    for name, metric in metrics.items():
        yield name, probes, gallery, distance_of(metric, euclidean)


def _plain(embeddings: pd.DataFrame, features: str) -> Iterator[Space]:
    if "euclidean" in unlearned_metrics(features):
        yield "euclidean", *_tested(embeddings), euclidean


def _distances(spaces: Any, parameters: EvaluateParameters) -> Distances:
    """Measure in every space, and once more with re-ranking where it is asked for."""
    for name, probes, gallery, distance in spaces:
        yield name, distance(probes, gallery)
        if parameters.re_ranking is not None:
            options = parameters.re_ranking.model_dump()
            yield f"{name}{SUFFIX}", re_rank(probes, gallery, distance, **options)


def _names(embeddings: pd.DataFrame, parameters: EvaluateParameters) -> dict[str, Any]:
    """Say who probes and gallery are, and under which protocol they meet."""
    probes, gallery = (embeddings[embeddings.role == role] for role in ("probe", "gallery"))
    protocol_named(parameters.protocol).check_roles(probes.tracklet, gallery.tracklet)
    return {
        "probe_persons": probes.person.to_list(),
        "gallery_persons": gallery.person.to_list(),
        "probe_cameras": probes.camera.to_list(),
        "gallery_cameras": gallery.camera.to_list(),
        "protocol": parameters.protocol,
        "gallery_queries": gallery.tracklet.isin(probes.tracklet).to_numpy(),
    }


def _row(
    embeddings: pd.DataFrame, features: str, metric: str, parameters: EvaluateParameters
) -> dict[str, str]:
    """Say what a number is of."""
    return {
        "dataset": parameters.dataset,
        "protocol": parameters.protocol,
        "trial": embeddings.trial.iloc[0],
        "features": features,
        "metric": metric,
    }


def _score(
    embeddings: pd.DataFrame, features: str, parameters: EvaluateParameters, distances: Distances
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turn distance matrices into rows of the two tables."""
    names = _names(embeddings, parameters)
    tracklets = [
        embeddings[embeddings.role == role].tracklet.to_list() for role in ("probe", "gallery")
    ]
    options = {"max_rank": parameters.ranked, "all_matches": True}
    scores, ranked = [], []
    with one_thread():
        for metric, matrix in distances:
            row = _row(embeddings, features, metric, parameters)
            measures = score(
                Task(matrix, **names),
                max_rank=parameters.max_rank,
                confidence=parameters.confidence,
                resamples=parameters.resamples,
                seed=parameters.seed,
            )
            table = pd.DataFrame({"measure": list(measures), "value": list(measures.values())})
            scores.append(table.assign(**row))
            listed = rankings(matrix, *tracklets, **names, **options)
            ranked.append(listed.assign(trial=row["trial"], features=features, metric=metric))
    return pd.concat(scores, ignore_index=True), pd.concat(ranked, ignore_index=True)
