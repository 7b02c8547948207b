"""Pipeline of the stage `ingest`."""

from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.ingest import nodes


def create_pipeline(root: str) -> Pipeline:
    """Return the stage.

    Parameters
    ----------
    root : str
        Catalog entry of the footage: the rendered people or a parameter.
    """
    return Pipeline(
        [
            node(
                nodes.read_frames,
                [root, "params:ingest"],
                ["found", "ingest_report"],
                name="read_frames",
            ),
            node(nodes.admit, "found", ["tracklets", "frames", "frames_root"], name="admit"),
        ]
    )
