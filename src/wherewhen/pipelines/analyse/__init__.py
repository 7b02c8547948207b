"""Stage `analyse`: a closer look at a trained network, for the figures 6, 7, 8 and 10."""

from wherewhen.pipelines.analyse.pipeline import create_pipeline

__all__ = ["create_pipeline"]
