"""Stage `evaluate`: rankings and scores, under a protocol's name."""

from wherewhen.pipelines.evaluate.pipeline import create_pipeline

__all__ = ["create_pipeline"]
