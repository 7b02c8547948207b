"""Parameters of the stage `evaluate`."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from wherewhen.hints import did_you_mean
from wherewhen.metric_learning.fused_names import PLAIN, fused_name, split_part
from wherewhen.metric_learning.registry import METRICS
from wherewhen.pipelines.embed.features import FEATURES
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


class FusionParameters(Group):
    """Distances of several features and metrics as one: `wherewhen.retrieval.fusion`."""

    parts: tuple[str, ...] = Field(min_length=2)
    """What is fused, as ``features/metric``: a kind of `embed.features`, and one of
    `learn_metric.metrics`, ``cosine`` or ``euclidean``."""

    weights: (
        Literal["equal", "learned"] | tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...]
    ) = "equal"
    """Weights of the parts' z-scores: ``equal``; ``learned``, chosen by cross-validation over the
    training persons; or a number for each part, of which only the ratios count."""

    @field_validator("parts")
    @classmethod
    def _are_features_and_metrics(cls, parts: tuple[str, ...]) -> tuple[str, ...]:
        known = {"features": tuple(FEATURES), "metric": (*PLAIN, *METRICS)}
        for part in parts:
            for kind, name in zip(known, split_part(part), strict=True):
                if name not in known[kind]:
                    hint = did_you_mean(name, known[kind], f"known: {', '.join(known[kind])}")
                    raise ValueError(
                        f"expected features/metric, but in {part!r} the {kind} {name!r} can't be "
                        f"fused; {hint}"
                    )
        if len(set(parts)) < len(parts):
            raise ValueError("expected different parts: a weight says how much one counts")
        return parts

    @model_validator(mode="after")
    def _weigh_every_part(self) -> Self:
        given = self.weights
        if isinstance(given, tuple) and (len(given) != len(self.parts) or not any(given)):
            raise ValueError(
                f"weights are {list(given)}: expected one for each of the {len(self.parts)} parts, "
                "and not all of them 0"
            )
        return self

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Features and metric of each part."""
        return [split_part(part) for part in self.parts]

    @property
    def features(self) -> list[str]:
        """The kinds of features, each once."""
        return list(dict.fromkeys(features for features, _ in self.pairs))

    @property
    def learned_on(self) -> list[str]:
        """The kinds of features of which a learned metric is fused."""
        return list(dict.fromkeys(each for each, metric in self.pairs if metric not in PLAIN))

    @property
    def name(self) -> str:
        """The name of the metric in tables of scores."""
        return fused_name(self.parts)


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

    # Its own nodes read it by its name, where it counts; no other score depends on it.
    fusion: Annotated[FusionParameters | None, OPERATIONAL] = None
    """Also evaluate the weighted sum of z-scored distances of several features and metrics; null:
    without."""

    confidence: float = Field(0.95, gt=0, lt=1)
    """Confidence level of the intervals."""

    resamples: int = Field(1000, ge=0)
    """Bootstrap samples for the intervals; 0: no intervals."""

    seed: int = Field(0, ge=0)
    """Seed of the bootstrap."""

    ranked: int | None = Field(None, ge=1)
    """Ranks of each probe in the table of rankings, in addition to all its true matches; null: all,
    which in MARS are 24 million rows a metric."""
