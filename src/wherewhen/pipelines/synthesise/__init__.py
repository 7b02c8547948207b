"""Stage `synthesise`: render people who walk past cameras."""

from wherewhen.pipelines.synthesise.pipeline import create_pipeline

__all__ = ["create_pipeline"]
