"""Stage `learn_metric`: PCA, then KISSME, LFDA or XQDA, on the training persons alone."""

from wherewhen.pipelines.stages import Stage, trials_and_features

STAGE = Stage(
    "learn_metric",
    "wherewhen.pipelines.learn_metric.parameters:LearnMetricParameters",
    needs=("embed",),
    arguments=trials_and_features,
)
