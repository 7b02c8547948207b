"""Parameters of the stage `search`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from wherewhen import pretrained
from wherewhen.pipelines.groups import Group
from wherewhen.tracklets.fingerprint import OPERATIONAL


class SearchParameters(Group):
    """A finished model, and how much of a tracklet it looks at."""

    model: Literal["wherewhen"] | Path = pretrained.SHIPPED
    """The folder of a model (`kedro publish` makes one), or ``wherewhen``: the one of this package.
    """

    metric: str | None = None
    """The distance: ``cosine``, or a metric that was learned with the model; null: its default."""

    frames: int = Field(16, ge=1)
    """Frames of a tracklet that are looked at, of a longer one the last."""

    kind: Annotated[Literal["auto", "exact", "ivf", "hnsw"], OPERATIONAL] = "auto"
    """The index: ``exact``; ``ivf`` and ``hnsw`` are approximate, for millions of tracklets;
    ``auto`` is exact up to 100,000 tracklets."""

    frames_per_second: Annotated[float | None, OPERATIONAL] = Field(None, gt=0, allow_inf_nan=False)
    """Rate of the cameras, if the frames of each are numbered from one common start: tracklets then
    have times, from the first number to the last. null: as videos say it, else times are not known.
    """

    @property
    def folder(self) -> Path:
        """The model's folder."""
        return pretrained.folder_of(self.model)
