"""Stage `synthesise`: render people who walk past cameras."""

from wherewhen.pipelines.stages import Stage

STAGE = Stage(
    "synthesise",
    "wherewhen.synthetic.config:SyntheticConfig",
    applies=lambda parameters: parameters.ingest.synthetic,
)
