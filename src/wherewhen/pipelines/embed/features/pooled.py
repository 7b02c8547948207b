"""Cubes averaged over time and space, or over time and width; they need no network."""

from collections.abc import Sequence
from functools import partial, update_wrapper

from kedro.pipeline import Node, node

from wherewhen.pipelines.embed.features.record import FeatureKind


def _nodes(names: Sequence[str]) -> list[Node]:
    from wherewhen.pipelines.embed import nodes

    return [
        node(
            update_wrapper(partial(nodes.pool, features=list(names)), nodes.pool),
            ["cubes", "windows"],
            [f"embeddings_{name}" for name in names],
            name="pool_cubes",
        )
    ]


KINDS = (
    FeatureKind("mean_pooled", "Cubes averaged over time and space.", _nodes, default=True),
    FeatureKind("row_pooled", "Cubes averaged over time and width.", _nodes, default=True),
)
