"""Stage `learn_metric`: PCA, then KISSME, LFDA or XQDA, on the training persons alone."""

from wherewhen.pipelines.learn_metric.pipeline import create_pipeline

__all__ = ["create_pipeline"]
