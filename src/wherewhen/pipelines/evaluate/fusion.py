"""Nodes of `evaluate` that fuse the distances of several features and metrics.

A module of its own, so that scores without fusion do not follow from this code.
"""

import logging
import math

import numpy as np
import pandas as pd

from wherewhen.metric_learning.fused_names import FUSION
from wherewhen.pipelines.evaluate.nodes import score_distances, sides, spaces
from wherewhen.pipelines.evaluate.parameters import EvaluateParameters, FusionParameters
from wherewhen.pipelines.logged import warnings_logged
from wherewhen.pipelines.types import Metrics
from wherewhen.pipelines.vectors import centred
from wherewhen.retrieval.distances import DISTANCES
from wherewhen.retrieval.fusion import fuse, shares_of
from wherewhen.retrieval.task import Task
from wherewhen.tracklets.threads import one_thread

log = logging.getLogger(__name__)


def weigh(fusion: FusionParameters, centre: str, *tables: pd.DataFrame | Metrics) -> pd.DataFrame:
    """Return the weights that were tried, and which ones are used.

    The tables are the embeddings of `FusionParameters.features`, then the metrics of
    `FusionParameters.learned_on`. The result has a column for each part.
    """
    embeddings, metrics = _by_features(fusion, centre, tables)
    first = embeddings[fusion.features[0]]
    trial = first.trial.iloc[0]
    if fusion.weights == "learned":
        from wherewhen.metric_learning.fusion_weights import FusionPart, choose_weights

        learning = first.role == "train"
        parts = [
            FusionPart(
                np.stack(embeddings[features].vector[learning].to_list()).astype(np.float64),
                DISTANCES[metric] if metric in DISTANCES else metrics[features][metric],
            )
            for features, metric in fusion.pairs
        ]
        with warnings_logged(log, f"{trial}: {fusion.name}"), one_thread():
            tried = choose_weights(parts, first.person[learning], first.camera[learning])
    else:
        given = None if fusion.weights == "equal" else fusion.weights
        tried = [(shares_of(given, len(fusion.parts)), math.nan, True)]
    table = pd.DataFrame([weights for weights, *_ in tried], columns=list(fusion.parts))
    table = table.assign(
        mean_ap=[mean_ap for _, mean_ap, _ in tried],
        chosen=[chosen for *_, chosen in tried],
        trial=trial,
    )
    log.info("%s: %s", trial, _in_words(table[table.chosen].iloc[0], fusion))
    return table


def score_fusion(
    weights: pd.DataFrame,
    parameters: EvaluateParameters,
    fusion: FusionParameters,
    centre: str,
    *tables: pd.DataFrame | Metrics,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return scores and rankings by the weighted sum of the parts' z-scores.

    Tables as for `weigh`.
    """
    embeddings, metrics = _by_features(fusion, centre, tables)
    first = embeddings[fusion.features[0]]
    probes, gallery = sides(first)
    used = weights.loc[weights.chosen, list(fusion.parts)].iloc[0].to_numpy(dtype=np.float64)
    tasks = []
    with one_thread():
        for features, metric in fusion.pairs:
            learned = {metric: metrics[features][metric]} if metric not in DISTANCES else {}
            found = spaces(embeddings[features], learned, by_euclidean=metric == "euclidean")
            [matrix] = [distance(*vectors) for name, *vectors, distance in found if name == metric]
            tasks.append(Task.of_tables(matrix, probes, gallery, parameters.protocol))
        return score_distances(first, FUSION, parameters, [(fusion.name, fuse(tasks, used))])


def _by_features(
    fusion: FusionParameters, centre: str, tables: tuple[pd.DataFrame | Metrics, ...]
) -> tuple[dict[str, pd.DataFrame], dict[str, Metrics]]:
    """Sort the tables by features; of embeddings without the means that are to be removed."""
    number = len(fusion.features)
    embeddings = dict(zip(fusion.features, tables[:number], strict=True))
    rows = {name: table[["tracklet", "role"]] for name, table in embeddings.items()}
    for name in fusion.features[1:]:
        if not rows[name].equals(rows[fusion.features[0]]):
            raise ValueError(
                f"{name} and {fusion.features[0]} can't be fused: their vectors are of other "
                "tracklets, or in another order. Kinds of features keep the rows of `windows`"
            )
    metrics = dict(zip(fusion.learned_on, tables[number:], strict=True))
    return {name: centred(table, centre) for name, table in embeddings.items()}, metrics


def _in_words(used: pd.Series, fusion: FusionParameters) -> str:
    """Say which weights are used, and how well they find persons who were held out."""
    weights = ", ".join(f"{part} {used[part]:.2f}" for part in fusion.parts)
    if math.isnan(used.mean_ap):
        return f"fusion by weights {weights}"
    found = f"mAP {100 * used.mean_ap:.1f} % of held-out training persons"
    return f"fusion by weights {weights}: {found}"
