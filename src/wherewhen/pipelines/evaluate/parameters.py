"""Parameters of the stage `evaluate`."""

from typing import Annotated, Literal

from pydantic import Field

from wherewhen.pipelines.groups import Group
from wherewhen.tracklets.fingerprint import OPERATIONAL


class ReRankingParameters(Group):
    """k-reciprocal re-ranking: `wherewhen.retrieval.re_ranking`."""

    k1: int = Field(20, ge=1)
    """Two tracklets are neighbours if each is among the other's k1 nearest."""

    k2: int = Field(6, ge=1)
    """Neighbours whose encodings are averaged (local query expansion); 1: no averaging."""

    weight: float = Field(0.3, ge=0, le=1, alias="lambda")
    """Weight of the original distance (``lambda``)."""


class EvaluateParameters(Group):
    """Protocol and measures of the evaluation."""

    dataset: str = "unnamed"
    """The data set's name in tables of scores: ``globals.yml``'s ``dataset``."""

    protocol: Literal[
        "single_match", "cross_camera", "official", "query_excluded", "two_camera"
    ] = "single_match"
    """A name of `wherewhen.retrieval.protocols.PROTOCOLS`."""

    average_precision: Annotated[Literal["mean_precision", "trapezoid"], OPERATIONAL] = (
        "mean_precision"
    )
    """Definition of the mAP in the printed table; the scores have both."""

    max_rank: int = Field(20, ge=1)
    """Length of the CMC curve; beyond the gallery's size it stays as it is."""

    re_ranking: ReRankingParameters | None = None
    """Evaluate every distance between vectors with re-ranking, too; null: without."""

    confidence: float = Field(0.95, gt=0, lt=1)
    """Confidence level of the intervals."""

    resamples: int = Field(1000, ge=0)
    """Bootstrap samples for the intervals; 0: no intervals."""

    seed: int = Field(0, ge=0)
    """Seed of the bootstrap."""

    ranked: int | None = Field(None, ge=1)
    """Ranks of each probe in the table of rankings, in addition to all its true matches; null: all,
    which in MARS are 24 million rows a metric."""
