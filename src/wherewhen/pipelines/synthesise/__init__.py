"""Stage `synthesise`: people who walk past cameras, rendered."""

from wherewhen.pipelines.synthesise.pipeline import create_pipeline

__all__ = ["create_pipeline"]
