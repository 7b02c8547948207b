"""Pipeline of the stage `search`."""

from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.search import nodes


def create_pipeline() -> Pipeline:
    """Return the stage."""
    return Pipeline(
        [
            node(
                nodes.embed_gallery,
                ["cubes", "tracklets", "params:search", "params:device"],
                ["gallery_embeddings", "gallery_report"],
                name="embed_gallery",
            )
        ]
    )
