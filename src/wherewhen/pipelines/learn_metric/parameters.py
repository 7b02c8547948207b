"""Parameters of the stage `learn_metric`: of each metric, those of its estimator."""

from typing import Any, Literal

from pydantic import Field, create_model

from wherewhen.metric_learning.registry import METRICS
from wherewhen.pipelines.groups import Group


class _LearnMetric(Group):
    """PCA, then KISSME, LFDA or XQDA (Section V-G); or RankSVM without PCA."""

    metrics: tuple[Literal[tuple(METRICS)], ...] = ("kissme", "lfda")
    """The learned metrics, all on the same vectors."""

    dimension: int = Field(150, ge=1)
    """Dimensions kept by the PCA; fewer when there are fewer samples, with a warning."""


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
