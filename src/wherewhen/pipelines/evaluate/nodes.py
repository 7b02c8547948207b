"""Nodes of `evaluate`: distances from every metric, rankings and scores from every distance."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from wherewhen.pipelines.parameters import EvaluateParameters
from wherewhen.pipelines.types import Metrics, Network
from wherewhen.retrieval.distances import cosine, euclidean
from wherewhen.retrieval.evaluate import evaluate, rankings

HEADLINES = ("rank-1", "rank-5", "rank-10", "rank-20", "mAP", "mAP-trapezoid")
"""The measures that become MLflow metrics; a curve's other points stay in the table."""

Distances = Iterator[tuple[str, np.ndarray]]


def score_vectors(
    embeddings: pd.DataFrame, metrics: Metrics, parameters: EvaluateParameters, features: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score vectors by their angle and by the learned metrics."""
    probes, gallery = _vectors(embeddings, "probe"), _vectors(embeddings, "gallery")
    return _score(embeddings, features, parameters, _distances(probes, gallery, metrics))


def score_network(
    embeddings: pd.DataFrame,
    metrics: Metrics,
    network: Network,
    parameters: EvaluateParameters,
    features: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score a network's embeddings, also by the similarity that it was trained with (Eq 8)."""
    import torch

    probes, gallery = _vectors(embeddings, "probe"), _vectors(embeddings, "gallery")
    with torch.inference_mode():
        logits = network.pairwise_logits(
            torch.from_numpy(probes).float(), torch.from_numpy(gallery).float()
        )

    def distances() -> Distances:
        yield from _distances(probes, gallery, metrics)
        yield "euclidean", euclidean(probes, gallery)
        yield "siamese", -logits.double().numpy()

    return _score(embeddings, features, parameters, distances())


def collect(*tables: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, dict]]:
    """Put the scores and the rankings of all trials together, and the means into metrics."""
    half = len(tables) // 2
    scores = pd.concat(tables[:half], ignore_index=True)
    means = scores.groupby(["features", "metric", "measure"]).value.mean()
    metrics = {
        ".".join(key): {"value": float(value), "step": 0}
        for key, value in means.items()
        if key[-1] in HEADLINES
    }
    return scores, pd.concat(tables[half:], ignore_index=True), metrics


def _vectors(embeddings: pd.DataFrame, role: str) -> np.ndarray:
    return np.stack(embeddings[embeddings.role == role].vector.to_list()).astype(np.float64)


def _distances(probes: np.ndarray, gallery: np.ndarray, metrics: Metrics) -> Distances:
    yield "cosine", cosine(probes, gallery)
    for name, metric in metrics.items():
        yield name, euclidean(metric.transform(probes), metric.transform(gallery))


def _score(
    embeddings: pd.DataFrame, features: str, parameters: EvaluateParameters, distances: Distances
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turn distance matrices into rows of the two tables."""
    probes, gallery = (embeddings[embeddings.role == role] for role in ("probe", "gallery"))
    who = {
        "probe_persons": probes.person.to_list(),
        "gallery_persons": gallery.person.to_list(),
        "probe_cameras": probes.camera.to_list(),
        "gallery_cameras": gallery.camera.to_list(),
        "protocol": parameters.protocol,
    }
    names = probes.tracklet.to_list(), gallery.tracklet.to_list()
    scores, ranked = [], []
    for metric, matrix in distances:
        row = {"trial": embeddings.trial.iloc[0], "features": features, "metric": metric}
        measures = evaluate(
            matrix,
            **who,
            average_precision=parameters.average_precision,
            max_rank=parameters.max_rank,
        ).measures()
        scores.append(
            pd.DataFrame({"measure": list(measures), "value": list(measures.values())}).assign(
                dataset=parameters.dataset, protocol=parameters.protocol, **row
            )
        )
        ranked.append(rankings(matrix, *names, **who, max_rank=None).assign(**row))
    return pd.concat(scores, ignore_index=True), pd.concat(ranked, ignore_index=True)
