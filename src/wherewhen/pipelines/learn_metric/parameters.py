"""Parameters of the stage `learn_metric`: of each metric, those of its estimator."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, create_model, model_validator

from wherewhen.metric_learning.registry import AUTO, METRICS
from wherewhen.pipelines.groups import Faults, Group


class _LearnMetric(Group):
    """PCA, then KISSME, LFDA or XQDA (Section V-G); or RankSVM without PCA."""

    metrics: tuple[Literal[tuple(METRICS)], ...] = ("kissme", "lfda")
    """The learned metrics, all on the same vectors."""

    dimension: Annotated[int, Field(ge=1)] | Literal[AUTO] = AUTO
    """Dimensions kept by the PCA, 150 in the paper; fewer when there are fewer samples, with a
    warning. ``auto``: chosen for each metric by cross-validation over the training persons."""

    metrics_from: Literal["pretrained"] | Path | None = None
    """Metrics that were learned elsewhere, of the features ``network``, as they are: a file, or
    ``pretrained``: those that ship with this package. Nothing is learned then, and other features
    are measured without a learned metric. Null: learn."""

    centre: Literal["none", "camera"] = "none"
    """``camera``: the mean of each camera's vectors, of training persons, is removed from all its
    vectors, before metrics and before the cosine and the Euclidean distance, but not before the
    network's own score."""

    @model_validator(mode="after")
    def _choose_what_can_be_chosen(self) -> Self:
        for name, kind in METRICS.items():
            known = kind.shrinkage.name if kind.shrinkage else None
            for option, value in getattr(self, name).items():
                if isinstance(value, str) and value == AUTO and option != known:
                    may = f"{name}.{known} and dimension" if known else "dimension"
                    raise Faults([f"learn_metric.{name}.{option} can't be {AUTO}: {may} alone can"])
        return self


LearnMetricParameters = create_model(
    "LearnMetricParameters",
    __base__=_LearnMetric,
    __doc__=_LearnMetric.__doc__,
    __module__=__name__,
    **{
        name: (dict[str, Any], Field({}, description=f"Parameters of `{kind.path}`."))
        for name, kind in METRICS.items()
    },
)
"""`_LearnMetric`, and for each metric of the registry the parameters of its estimator."""
