"""The room of metric learning: distances learned from who is who, on top of fixed features.

KISSME, LFDA, XQDA and RankSVM as scikit-learn estimators, and the pipeline that puts PCA before
them. This is the ground floor: numpy, scipy and scikit-learn only, no other room, never torch.
"""

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
    "RankSVM",
    "distance_of",
    "fit_metrics",
    "metric_pipeline",
]
