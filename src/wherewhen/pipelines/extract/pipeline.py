"""Wires of `extract`."""

from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.extract import nodes


def create_pipeline(root: str) -> Pipeline:
    """Return the stage.

    Parameters
    ----------
    root : str
        What holds the data set's folder: the rendered people, or a parameter.
    """
    return Pipeline(
        [
            node(
                nodes.plan_extraction,
                [root, "tracklets", "frames", "params:extract"],
                ["cubes", "cubes_identity"],
                name="extract_cubes",
            )
        ]
    )
