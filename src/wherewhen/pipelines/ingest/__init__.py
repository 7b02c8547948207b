"""Stage `ingest`: raw frames become the tables of tracklets and frames."""

from wherewhen.pipelines.ingest.pipeline import create_pipeline

__all__ = ["create_pipeline"]
