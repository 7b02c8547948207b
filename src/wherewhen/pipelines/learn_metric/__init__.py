"""Stage `learn_metric`: PCA, then KISSME, LFDA or XQDA, on the training persons alone."""

from wherewhen.pipelines.stages import Stage

STAGE = Stage(
    "learn_metric",
    "wherewhen.pipelines.learn_metric.parameters:LearnMetricParameters",
    needs=("embed",),
    arguments=lambda parameters, made: {
        "trials": parameters.split.trial_names,
        "features": parameters.embed.features,
    },
)
