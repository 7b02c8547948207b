"""Stage `split`: training persons, probes and gallery of every trial."""

from wherewhen.pipelines.split.pipeline import create_pipeline

__all__ = ["create_pipeline"]
