"""Stage `learn_metric`: PCA, then KISSME or LFDA, on the training persons alone."""

from wherewhen.pipelines.learn_metric.pipeline import create_pipeline

__all__ = ["create_pipeline"]
