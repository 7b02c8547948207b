"""Nodes of `assemble`: the model of a trial, with what its distances mean."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from wherewhen.pipelines.evaluate.nodes import sides, spaces
from wherewhen.pipelines.extract.nodes import weights_from_root
from wherewhen.pipelines.extract.parameters import ExtractParameters
from wherewhen.pipelines.types import Metrics, Model, Network
from wherewhen.project import from_root
from wherewhen.retrieval.calibration import fit_probability
from wherewhen.retrieval.open_set import thresholds_at, true_positive_rates
from wherewhen.retrieval.task import Task
from wherewhen.synthetic.config import RENDERER, SyntheticConfig
from wherewhen.tracklets.cubes import CubeReader
from wherewhen.tracklets.fingerprint import file_sha256

MEASURES = ("rank-1", "rank-5", "mAP")
"""Those of the card."""

FALSE_MATCH_RATES = (0.1, 0.01, 0.001, 0.0001)
"""Those at which the card has thresholds, as far as the pairs suffice."""

LIMITS = (
    "It is for research and for studies. It is not for identifying, tracking or watching anybody, "
    "nor for decisions about a person (docs/responsible-use.md).",
    "Scores are of people in the same footage as those it learned from, in a closed set; expect "
    "lower ones elsewhere.",
    "A ranking is never evidence that two videos show the same person.",
)

OF_RENDERED = (
    "It learned from rendered people alone. How it does on real people is not known; scores on "
    "rendered people say nothing about it.",
    "Rendered bodies, clothes and gaits are a narrow choice: there are no wheelchairs, walking "
    "aids, prams, veils or saris.",
)
"""Limits of a network that has seen no real person."""

LICENCE = (
    "Not stated: the terms of the data set, and of the backbone's weights ({source}), say what may "
    "be done with it."
)


def describe_filmed(
    tracklets: pd.DataFrame,
    ingest_report: dict[str, Any],
    split: pd.DataFrame,
    dataset: str,
    start: Path | None = None,
) -> dict[str, Any]:
    """Say from how many persons of which data set a network learned."""
    training = split.role == "train"
    return {
        "dataset": dataset,
        "fingerprint": ingest_report["fingerprint"],
        "persons": tracklets.person.nunique(),
        "training_persons": split[training].person.nunique(),
        "test_persons": split[~training].person.nunique(),
        **(_started_from(from_root(start)) if start is not None else {}),
    }


def describe_rendered(
    tracklets: pd.DataFrame,
    ingest_report: dict[str, Any],
    split: pd.DataFrame,
    dataset: str,
    synthesise: SyntheticConfig,
    start: Path | None = None,
) -> dict[str, Any]:
    """Say from which rendered persons a network learned."""
    return {
        **describe_filmed(tracklets, ingest_report, split, dataset, start),
        "renderer": RENDERER,
        "rendered": synthesise.model_dump(mode="json", exclude={"workers"}),
    }


def assemble(
    learned_from: dict[str, Any],
    network: Network,
    metrics: Metrics,
    embeddings: pd.DataFrame,
    cubes: CubeReader,
    cubes_identity: dict[str, Any],
    split: pd.DataFrame,
    extract: ExtractParameters,
    frames: int | None,
    protocol: str,
    metric: str,
    *scores: pd.DataFrame,
) -> Model:
    """Put backbone, network, metrics, and the meaning of their distances together."""
    from wherewhen.features.backbones import backbone_weights
    from wherewhen.features.backbones.parts import ALL
    from wherewhen.features.domain import CubeStatistics, mean_activations
    from wherewhen.pretrained.writing import Model as Files

    training = split[split.role == "train"].tracklet.to_list()
    weights = weights_from_root(extract)
    # where cubes are pixels, all weights are the network's
    apart = weights.source != "package" and cubes_identity["backbone"].get("trained") != ALL
    about = {
        "data": learned_from,
        "cubes": cubes_identity,
        "protocol": protocol,
        "frames": frames,
        "metric": metric,
        "calibrations": list(calibrations(embeddings, metrics, protocol)),
        "scores": list(_scores(pd.concat(scores, ignore_index=True))),
        "limits": LIMITS if learned_from.get("rendered") is None else (*OF_RENDERED, *LIMITS),
        "licence": LICENCE.format(source=weights.package or weights.source),
    }
    return Files(
        network,
        metrics,
        CubeStatistics.of(mean_activations(cubes, training)),
        about,
        backbone_weights(extract.backbone, weights, extract.size) if apart else None,
    )


def calibrations(
    embeddings: pd.DataFrame, metrics: Metrics, protocol: str
) -> Iterator[dict[str, Any]]:
    """Yield what each distance means, by the test persons' pairs of probe and gallery.

    Each is a `wherewhen.pretrained.card.Calibration` in plain values.
    """
    for metric, *vectors, distance in spaces(embeddings, metrics, by_euclidean=False):
        task = Task.of_tables(distance(*vectors), *sides(embeddings), protocol)
        genuine, impostor = task.pairs()
        slope, intercept = fit_probability(genuine, impostor)
        accepted = true_positive_rates(genuine, impostor, FALSE_MATCH_RATES)
        yield {
            "metric": metric,
            "genuine": len(genuine),
            "impostor": len(impostor),
            "slope": slope,
            "intercept": intercept,
            "thresholds": [
                {"false_match_rate": rate, "distance": each, "true_match_rate": accepted[rate]}
                for rate, each in thresholds_at(impostor, FALSE_MATCH_RATES).items()
            ],
        }


def _scores(scores: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the measures of one trial for the card."""
    for row in scores[scores.measure.isin(MEASURES)].itertuples():
        yield {
            "features": row.features,
            "metric": row.metric,
            "measure": row.measure,
            "value": float(row.value),
            "mean": float(row.value),
            "deviation": None,
            "trials": 1,
        }


def _started_from(network: Path) -> dict[str, Any]:
    """Say which network a training started from, and whom that had met, if a card says so."""
    from wherewhen.pretrained import load_card
    from wherewhen.pretrained.card import CARD

    known: dict[str, Any] = {"started_from": file_sha256(network)}
    if (network.parent / CARD).is_file():
        data = load_card(network.parent).data
        known["met_before"] = (data.fingerprint, *data.met_before)
    return known
