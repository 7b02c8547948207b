"""Parameters of the stage `report`."""

from pydantic import Field

from wherewhen.pipelines.groups import Group


class ReportParameters(Group):
    """What the pictures show."""

    probes: int = Field(4, ge=1)
    """Probes in each of the pictures of the best and the worst ranked."""

    attention_tracklets: int = Field(3, ge=1)
    """Tracklets whose attention is drawn."""
