"""Metric learning: distances learned from labelled vectors of fixed features.

KISSME, LFDA, XQDA and RankSVM as scikit-learn estimators, the pipeline with PCA before them, and
files of fitted metrics. They import no other package of this project, only numpy, scipy,
scikit-learn and safetensors. Names are imported on first use, because scikit-learn takes a second.
"""

from importlib import import_module
from typing import Any

from wherewhen.metric_learning.registry import METRICS, MetricKind

_MODULES = {
    "KISSME": "kissme",
    "LFDA": "lfda",
    "XQDA": "xqda",
    "RankSVM": "rank_svm",
    "CappedPCA": "pca",
    "choose": "selection",
    "FusionPart": "fusion_weights",
    "choose_weights": "fusion_weights",
    "distance_of": "pipeline",
    "fit_metrics": "pipeline",
    "metric_pipeline": "pipeline",
    "space_of": "pipeline",
    "MetricsFileError": "files",
    "read_metrics": "files",
    "write_metrics": "files",
}

__all__ = ["METRICS", "MetricKind", *_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
