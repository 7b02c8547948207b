"""Wires of `extract`."""

from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.extract import nodes


def create_pipeline() -> Pipeline:
    """Return the stage."""
    return Pipeline(
        [
            node(
                nodes.plan_extraction,
                ["frames_root", "tracklets", "frames", "params:extract"],
                ["cubes", "cubes_identity"],
                name="extract_cubes",
            )
        ]
    )
