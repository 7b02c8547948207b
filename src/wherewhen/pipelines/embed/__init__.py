"""Stage `embed`: one vector a clip, by the network and by the baselines without one."""

from wherewhen.pipelines.embed.pipeline import create_pipeline

__all__ = ["create_pipeline"]
