"""Fisher vectors of the trained network's frames (Eq 10)."""

from collections.abc import Sequence

from kedro.pipeline import Node, node

from wherewhen.pipelines.embed.features.record import FeatureKind


def _nodes(names: Sequence[str]) -> list[Node]:
    from wherewhen.pipelines.embed import nodes

    return [
        node(
            nodes.encode_fisher,
            [
                "network",
                "cubes",
                "windows",
                "params:embed.fisher",
                "params:embed.batch_size",
                "params:device",
            ],
            "embeddings_fisher",
            name="embed_by_fisher",
        )
    ]


KINDS = (
    FeatureKind(
        "fisher", "Fisher vectors of the trained network's frames (Eq 10).", _nodes, trains=True
    ),
)
