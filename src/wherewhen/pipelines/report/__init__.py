"""Stage `report`: figures and tables for people."""

from collections.abc import Collection
from typing import Any

from wherewhen.pipelines.stages import Stage


def _arguments(parameters: Any, made: Collection[str]) -> dict[str, Any]:
    return {"trials": parameters.split.trial_names, "made": made}


STAGE = Stage(
    "report",
    "wherewhen.pipelines.report.parameters:ReportParameters",
    needs=("evaluate",),
    arguments=_arguments,
)
