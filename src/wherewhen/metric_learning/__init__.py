"""The room of metric learning: distances learned from who is who, on top of fixed features.

KISSME, LFDA, XQDA and RankSVM as scikit-learn estimators, the pipeline that puts PCA before them,
and files of fitted metrics. This is the ground floor: numpy, scipy, scikit-learn and safetensors
only, no other room, never torch.
"""

from wherewhen.metric_learning.files import MetricsFileError, read_metrics, write_metrics
from wherewhen.metric_learning.kissme import KISSME
from wherewhen.metric_learning.lfda import LFDA
from wherewhen.metric_learning.pipeline import (
    CappedPCA,
    distance_of,
    fit_metrics,
    metric_pipeline,
)
from wherewhen.metric_learning.rank_svm import RankSVM
from wherewhen.metric_learning.xqda import XQDA

__all__ = [
    "KISSME",
    "LFDA",
    "XQDA",
    "CappedPCA",
    "MetricsFileError",
    "RankSVM",
    "distance_of",
    "fit_metrics",
    "metric_pipeline",
    "read_metrics",
    "write_metrics",
]
