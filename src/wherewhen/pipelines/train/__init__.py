"""Stage `train`: the Siamese attention network learns from pairs, in every trial."""

from collections.abc import Collection
from typing import Any

from wherewhen.pipelines.stages import Stage


def _arguments(parameters: Any, made: Collection[str]) -> dict[str, Any]:
    # here: the names of the stages are asked for without their nodes
    from wherewhen.pipelines.embed.features import of_trained_network
    from wherewhen.pipelines.train.parameters import RANDOM

    features = parameters.embed.features
    trained = of_trained_network(features)
    return {
        "trials": parameters.split.trial_names,
        "untrained": "untrained" in features,
        "trained": trained,
        "borrowed": parameters.train.network_from is not None,
        "started": parameters.train.start != RANDOM and (trained or "start" in features),
        "guided": parameters.train.training.guidance_weight > 0,
    }


STAGE = Stage(
    "train",
    "wherewhen.pipelines.train.parameters:TrainParameters",
    needs=("extract", "split"),
    arguments=_arguments,
)
