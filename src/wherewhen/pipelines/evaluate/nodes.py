"""Nodes of `evaluate`: distances by every metric, and their scores and rankings."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import numpy as np
import pandas as pd
from scipy.special import expit

from wherewhen.pipelines.evaluate.parameters import EvaluateParameters
from wherewhen.pipelines.types import Metrics
from wherewhen.pipelines.vectors import centred
from wherewhen.retrieval.calibration import expected_calibration_error, reliability
from wherewhen.retrieval.distances import cosine, euclidean
from wherewhen.retrieval.evaluate import rankings
from wherewhen.retrieval.re_ranking import SUFFIX, re_rank
from wherewhen.retrieval.scoring import score
from wherewhen.retrieval.task import Task
from wherewhen.tracklets.threads import one_thread

Distances = Iterable[tuple[str, np.ndarray]]
"""Names of metrics and distances from probes to gallery."""

Space = tuple[str, np.ndarray, np.ndarray, Callable[[np.ndarray, np.ndarray], np.ndarray]]
"""A metric's name, projected probes and gallery, and the distance between them."""


def score_vectors(
    embeddings: pd.DataFrame,
    metrics: Metrics,
    parameters: EvaluateParameters,
    centre: str = "none",
    *,
    features: str,
    by_euclidean: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return scores and rankings of vectors by unlearned and learned metrics.

    The cosine and, where it is asked for, the Euclidean distance need no learning.
    """
    distances = _distances(centred(embeddings, centre), metrics, parameters, by_euclidean)
    return score_distances(embeddings, features, parameters, distances)


def score_network(
    embeddings: pd.DataFrame,
    metrics: Metrics,
    logits: np.ndarray,
    parameters: EvaluateParameters,
    centre: str = "none",
    *,
    features: str,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return scores and rankings of a network's embeddings, also by its similarity (Eq 8).

    The third table is the reliability diagram of that similarity as a probability.
    """
    distances = _distances(centred(embeddings, centre), metrics, parameters, by_euclidean=True)
    scores, ranked = score_distances(
        embeddings, features, parameters, chain(distances, [("siamese", -logits)])
    )
    genuine, impostor = Task.of_tables(-logits, *sides(embeddings), parameters.protocol).pairs()
    table = reliability(expit(-genuine), expit(-impostor))
    row = _row(embeddings, features, "siamese", parameters)
    error = pd.DataFrame([{**row, "measure": "ece", "value": expected_calibration_error(table)}])
    return pd.concat([scores, error], ignore_index=True), ranked, table.assign(**row)


def collect(*tables: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Concatenate the scores and the rankings of all trials."""
    half = len(tables) // 2
    scores, ranked = tables[:half], tables[half:]
    return pd.concat(scores, ignore_index=True), pd.concat(ranked, ignore_index=True)


def collect_reliability(*tables: pd.DataFrame) -> pd.DataFrame:
    """Concatenate the reliability diagrams of all trials."""
    return pd.concat(tables, ignore_index=True)


def sides(embeddings: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the rows of probes, then those of the gallery."""
    return (embeddings[embeddings.role == role] for role in ("probe", "gallery"))


def spaces(embeddings: pd.DataFrame, metrics: Metrics, by_euclidean: bool) -> Iterator[Space]:
    """Yield the space of every metric, and its vectors of probes and gallery."""
    from wherewhen.metric_learning.pipeline import space_of  # imports scikit-learn: a second

    vectors = [np.stack(side.vector.to_list()).astype(np.float64) for side in sides(embeddings)]
    yield "cosine", *vectors, cosine
    for name, metric in metrics.items():
        project, distance = space_of(metric, euclidean)
        yield name, *map(project, vectors), distance
    if by_euclidean:
        yield "euclidean", *vectors, euclidean


def _distances(
    embeddings: pd.DataFrame, metrics: Metrics, parameters: EvaluateParameters, by_euclidean: bool
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the distances by every metric, and the re-ranked ones where they are asked for."""
    for name, probes, gallery, distance in spaces(embeddings, metrics, by_euclidean):
        yield name, distance(probes, gallery)
        if parameters.re_ranking is not None:
            options = parameters.re_ranking.model_dump()
            yield f"{name}{SUFFIX}", re_rank(probes, gallery, distance, **options)


def _row(
    embeddings: pd.DataFrame, features: str, metric: str, parameters: EvaluateParameters
) -> dict[str, str]:
    """Return the columns that identify a score."""
    return {
        "dataset": parameters.dataset,
        "protocol": parameters.protocol,
        "trial": embeddings.trial.iloc[0],
        "features": features,
        "metric": metric,
    }


def score_distances(
    embeddings: pd.DataFrame, features: str, parameters: EvaluateParameters, distances: Distances
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turn distance matrices into rows of the tables of scores and rankings."""
    probes, gallery = sides(embeddings)
    scores, ranked = [], []
    with one_thread():
        for metric, matrix in distances:
            task = Task.of_tables(matrix, probes, gallery, parameters.protocol)
            row = _row(embeddings, features, metric, parameters)
            measures = score(
                task,
                max_rank=parameters.max_rank,
                confidence=parameters.confidence,
                resamples=parameters.resamples,
                seed=parameters.seed,
            )
            table = pd.DataFrame({"measure": list(measures), "value": list(measures.values())})
            scores.append(table.assign(**row))
            listed = rankings(
                task, probes.tracklet, gallery.tracklet, parameters.ranked, all_matches=True
            )
            ranked.append(listed.assign(trial=row["trial"], features=features, metric=metric))
    return pd.concat(scores, ignore_index=True), pd.concat(ranked, ignore_index=True)
