"""Stage `learn_metric`: PCA, then KISSME, LFDA or XQDA, on the training persons alone."""

from collections.abc import Collection
from typing import Any

from wherewhen.pipelines.stages import Stage, trials_and_features


def _arguments(parameters: Any, made: Collection[str]) -> dict[str, Any]:
    borrowed = parameters.learn_metric.metrics_from is not None
    return {**trials_and_features(parameters, made), "borrowed": borrowed}


STAGE = Stage(
    "learn_metric",
    "wherewhen.pipelines.learn_metric.parameters:LearnMetricParameters",
    needs=("embed",),
    arguments=_arguments,
)
