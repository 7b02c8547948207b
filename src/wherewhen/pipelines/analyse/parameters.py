"""Parameters of the stage `analyse`."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator

from wherewhen.pipelines.groups import Group


class AnalyseParameters(Group):
    """What the closer look at a trained network measures and shows (Fig 6, 7, 8, 10)."""

    lengths: tuple[Annotated[int, Field(ge=1)], ...] = (1, 2, 4, 8, 16, 32, 64, 128)
    """Frames of probes and of gallery tracklets, rising: all are paired (Section V-D.3)."""

    metric: Literal["euclidean", "cosine"] = "euclidean"
    """The distance of those evaluations, and the rankings whose failures are shown."""

    tracklets: int = Field(3, ge=1)
    """Probes that are pictured with their frame weights, and with their attention."""

    failures: int = Field(4, ge=1)
    """Failures that are pictured."""

    visible_shares: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (0.9, 1.0)
    """For rendered people: mean visible shares of the person, rising, between which probes are
    grouped, to see what occlusion costs."""

    seed: int = Field(0, ge=0)
    """For rendered people: decides whose frames replace a third of a probe's."""

    @field_validator("lengths")
    @classmethod
    def _rise(cls, lengths: tuple[int, ...]) -> tuple[int, ...]:
        if not lengths or any(b <= a for a, b in pairwise(lengths)):
            raise ValueError(f"lengths are {list(lengths)}: expected rising numbers of frames")
        return lengths

    @field_validator("visible_shares")
    @classmethod
    def _shares_rise(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if not shares or any(b <= a for a, b in pairwise(shares)):
            raise ValueError(f"visible_shares are {list(shares)}: expected rising shares, 0 to 1")
        return shares
