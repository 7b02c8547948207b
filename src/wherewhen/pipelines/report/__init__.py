"""Stage `report`: figures and tables for people."""

from wherewhen.pipelines.report.pipeline import create_pipeline

__all__ = ["create_pipeline"]
