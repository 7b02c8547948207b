"""Stage `split`: who trains, who is searched for, in every trial."""

from wherewhen.pipelines.split.pipeline import create_pipeline

__all__ = ["create_pipeline"]
