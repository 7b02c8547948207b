"""Stage `assemble`: what a trial has learned becomes one model, from frames to answers."""

from collections.abc import Collection
from typing import Any

from wherewhen.pipelines.stages import Stage

OF_THE_NETWORK = "network"
"""The features whose metrics the model has."""


def _applies(parameters: Any) -> bool:
    """Whether a network and metrics of its embeddings are learned, on embeddings as they are."""
    learned = parameters.train.network_from is None and not parameters.split.nobody_trains
    as_they_are = parameters.learn_metric.centre == "none"  # a model has no means of cameras
    return learned and as_they_are and OF_THE_NETWORK in parameters.embed.features


def _arguments(parameters: Any, made: Collection[str]) -> dict[str, Any]:
    from wherewhen.pipelines.train.parameters import RANDOM

    return {
        "trials": parameters.split.trial_names if _applies(parameters) else (),
        "features": parameters.embed.features,
        "rendered": parameters.ingest.synthetic,
        "started": parameters.train.start != RANDOM,
    }


STAGE = Stage(
    "assemble",
    "wherewhen.pipelines.assemble.parameters:AssembleParameters",
    needs=("evaluate",),
    arguments=_arguments,
    applies=_applies,
)
