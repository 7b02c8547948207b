"""Parameters of the stage `search`."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field

from wherewhen import pretrained
from wherewhen.pipelines.groups import Group
from wherewhen.project import from_root
from wherewhen.tracklets.fingerprint import OPERATIONAL


class SearchParameters(Group):
    """A finished model, and how much of a tracklet it looks at."""

    model: str | Path = pretrained.SHIPPED
    """The folder of a model (a run or `kedro publish` makes one); ``wherewhen``: the one of this
    package; or an address in MLflow: ``models:/NAME@champion``, ``models:/NAME/3``."""

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

    def as_asked(self) -> Self:
        """Return a copy with the model's folder, whose content counts: an alias in MLflow moves.

        An address that MLflow does not know stays, for those who read the model to say so.
        """
        try:
            return self.with_changes(model=from_root(pretrained.folder_of(self.model)))
        except pretrained.PretrainedError:
            return self
