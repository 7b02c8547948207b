"""Stage `train`: the Siamese attention network learns from pairs, in every trial."""

from wherewhen.pipelines.train.pipeline import create_pipeline

__all__ = ["create_pipeline"]
