"""Nodes of `evaluate`: distances from every metric, rankings and scores from every distance."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from wherewhen.pipelines.parameters import EvaluateParameters
from wherewhen.pipelines.types import Metrics, Network
from wherewhen.retrieval.distances import cosine, euclidean
from wherewhen.retrieval.evaluate import evaluate, rankings

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
        if key[-1] in ("rank-1", "rank-5", "rank-10", "rank-20", "mAP")
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
    probe, gallery = (embeddings[embeddings.role == role] for role in ("probe", "gallery"))
    trial = embeddings.trial.iloc[0]
    scores, ranked = [], []
    for metric, matrix in distances:
        result = evaluate(
            matrix,
            probe.person.to_numpy(),
            gallery.person.to_numpy(),
            probe.camera.to_numpy(),
            gallery.camera.to_numpy(),
            protocol=parameters.protocol,
            average_precision=parameters.average_precision,
            max_rank=parameters.max_rank,
        )
        what = {"trial": trial, "features": features, "metric": metric}
        measures = {
            **{f"rank-{rank}": value for rank, value in enumerate(result.cmc, start=1)},
            "mAP": result.mean_ap,
        }
        scores.append(
            pd.DataFrame({"measure": list(measures), "value": list(measures.values())}).assign(
                dataset=parameters.dataset, protocol=parameters.protocol, **what
            )
        )
        ranked.append(
            rankings(
                matrix,
                probe.tracklet.to_numpy(),
                gallery.tracklet.to_numpy(),
                probe.person.to_numpy(),
                gallery.person.to_numpy(),
            ).assign(**what)
        )
    return pd.concat(scores, ignore_index=True), pd.concat(ranked, ignore_index=True)
