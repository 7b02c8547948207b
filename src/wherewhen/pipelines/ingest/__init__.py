"""Stage `ingest`: tables of tracklets and frames from raw frames."""

from typing import Any

from wherewhen.pipelines.stages import Stage


def footage(parameters: Any) -> str:
    """Return the catalog entry of the folder or archive: rendered people, or a parameter."""
    return "synthetic_people" if parameters.ingest.synthetic else "params:ingest.root"


STAGE = Stage(
    "ingest",
    "wherewhen.pipelines.ingest.parameters:IngestParameters",
    needs=("synthesise",),
    arguments=lambda parameters, made: {"root": footage(parameters)},
)
