"""Pipeline of the stage `synthesise`."""

from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.synthesise import nodes


def create_pipeline() -> Pipeline:
    """Return the stage."""
    return Pipeline(
        [
            node(nodes.plan_people, "params:synthesise", "synthetic_people", name="plan_people"),
            node(
                nodes.picture_people,
                ["params:synthesise", "synthetic_people"],
                "people_mosaic",
                name="picture_people",
            ),
        ]
    )
