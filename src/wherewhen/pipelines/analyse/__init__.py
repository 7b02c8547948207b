"""Stage `analyse`: a closer look at a trained network (Fig 6, 7, 8, 10), and at the truth."""

from wherewhen.pipelines.stages import Stage

STAGE = Stage(
    "analyse",
    "wherewhen.pipelines.analyse.parameters:AnalyseParameters",
    needs=("evaluate",),
    arguments=lambda parameters, made: {
        "trials": parameters.split.trial_names,
        "trained": "network" in parameters.embed.features,
        "rendered": parameters.ingest.synthetic,
        "untrained": any(name.endswith(".untrained_network") for name in made),
    },
    by_name=True,
)
