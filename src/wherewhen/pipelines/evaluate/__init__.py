"""Stage `evaluate`: rankings and scores, under a protocol's name."""

from wherewhen.pipelines.stages import Stage, trials_and_features

STAGE = Stage(
    "evaluate",
    "wherewhen.pipelines.evaluate.parameters:EvaluateParameters",
    needs=("embed", "learn_metric"),
    arguments=trials_and_features,
)
