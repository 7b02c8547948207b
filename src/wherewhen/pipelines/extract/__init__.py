"""Stage `extract`: every frame becomes a feature cube, once for all trials."""

from wherewhen.pipelines.extract.pipeline import create_pipeline

__all__ = ["create_pipeline"]
