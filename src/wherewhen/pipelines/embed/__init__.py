"""Stage `embed`: one vector a clip, by the network and by the baselines without one."""

from wherewhen.pipelines.stages import Stage, trials_and_features

STAGE = Stage(
    "embed",
    "wherewhen.pipelines.embed.parameters:EmbedParameters",
    needs=("train",),
    arguments=trials_and_features,
)
