"""Stage `analyse`: a closer look at a trained network, for the figures 6, 7, 8 and 10."""

from wherewhen.pipelines.stages import Stage

STAGE = Stage(
    "analyse",
    "wherewhen.pipelines.analyse.parameters:AnalyseParameters",
    needs=("evaluate",),
    arguments=lambda parameters, made: {
        "trials": parameters.split.trial_names,
        "trained": "network" in parameters.embed.features,
    },
    by_name=True,
)
