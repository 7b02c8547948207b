"""Stage `ingest`: tables of tracklets and frames from raw frames."""

from wherewhen.pipelines.ingest.pipeline import create_pipeline

__all__ = ["create_pipeline"]
