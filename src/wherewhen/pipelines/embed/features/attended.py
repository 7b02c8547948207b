"""Row-pooled cubes under the trained network's attention: what looking is worth by itself."""

from collections.abc import Sequence

from kedro.pipeline import Node, node

from wherewhen.pipelines.embed.features.record import FeatureKind


def _nodes(names: Sequence[str]) -> list[Node]:
    from wherewhen.pipelines.embed import nodes

    return [
        node(
            nodes.pool_by_attention,
            ["network", "cubes", "windows", "params:embed.batch_size", "params:device"],
            "embeddings_attended_rows",
            name="pool_by_attention",
        )
    ]


KINDS = (
    FeatureKind(
        "attended_rows",
        "Cubes averaged over time and width, weighted by the trained network's attention.",
        _nodes,
        trains=True,
    ),
)
