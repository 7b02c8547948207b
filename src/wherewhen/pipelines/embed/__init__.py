"""Stage `embed`: one vector a clip, by the network and by the baselines without one."""

from wherewhen.pipelines.stages import Stage

STAGE = Stage(
    "embed",
    "wherewhen.pipelines.embed.parameters:EmbedParameters",
    needs=("train",),
    arguments=lambda parameters, made: {
        "trials": parameters.split.trial_names,
        "features": parameters.embed.features,
    },
)
