"""Stage `evaluate`: rankings and scores, under a protocol's name."""

from collections.abc import Collection
from typing import Any

from wherewhen.pipelines.stages import Stage, trials_and_features


def _arguments(parameters: Any, made: Collection[str]) -> dict[str, Any]:
    return {**trials_and_features(parameters, made), "fusion": parameters.evaluate.fusion}


STAGE = Stage(
    "evaluate",
    "wherewhen.pipelines.evaluate.parameters:EvaluateParameters",
    needs=("embed", "learn_metric"),
    arguments=_arguments,
)
