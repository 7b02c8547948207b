"""Stage `evaluate`: rankings and scores, under a protocol's name."""

from wherewhen.pipelines.stages import Stage

STAGE = Stage(
    "evaluate",
    "wherewhen.pipelines.evaluate.parameters:EvaluateParameters",
    needs=("embed", "learn_metric"),
    arguments=lambda parameters, made: {
        "trials": parameters.split.trial_names,
        "features": parameters.embed.features,
    },
)
