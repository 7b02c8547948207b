"""Pipeline of the stage `extract`."""

from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.extract import nodes


def create_pipeline(train_only: bool = False) -> Pipeline:
    """Return the stage.

    Parameters
    ----------
    train_only : bool
        Keep the cubes of training tracklets alone; the splits have to be drawn before.
    """
    splits = ["splits"] if train_only else []
    return Pipeline(
        [
            node(
                nodes.plan_extraction,
                [
                    "frames_root",
                    "tracklets",
                    "frames",
                    "params:extract",
                    "params:train.backbone",
                    "params:device",
                    "params:execution",
                    *splits,
                ],
                ["cubes", "cubes_identity"],
                name="extract_cubes",
            )
        ]
    )
