"""Stage `report`: figures and tables for people."""

from wherewhen.pipelines.stages import Stage

STAGE = Stage(
    "report",
    "wherewhen.pipelines.report.parameters:ReportParameters",
    needs=("evaluate",),
    arguments=lambda parameters, made: {"trials": parameters.split.trial_names, "made": made},
)
