"""Stage `extract`: every frame becomes a feature cube, once for all trials."""

from wherewhen.pipelines.stages import Stage

STAGE = Stage(
    "extract",
    "wherewhen.pipelines.extract.parameters:ExtractParameters",
    needs=("split",),
    arguments=lambda parameters, made: {"train_only": parameters.extract.tracklets == "train"},
)
