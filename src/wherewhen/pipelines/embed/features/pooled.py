"""Cubes averaged, without and with their rows: no network is asked."""

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


KINDS = tuple(FeatureKind(name, _nodes, default=True) for name in ("mean_pooled", "row_pooled"))
