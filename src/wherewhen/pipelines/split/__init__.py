"""Stage `split`: training persons, probes and gallery of every trial."""

from collections.abc import Collection
from typing import Any

from wherewhen.pipelines.ingest import footage
from wherewhen.pipelines.stages import Stage


def _arguments(parameters: Any, made: Collection[str]) -> dict[str, Any]:
    split = parameters.split
    return {
        "trials": split.trial_names,
        "torchreid": split.torchreid,
        "footage": footage(parameters) if split.source in ("official", "auto") else None,
    }


STAGE = Stage(
    "split",
    "wherewhen.pipelines.split.parameters:SplitParameters",
    needs=("ingest",),
    arguments=_arguments,
)
