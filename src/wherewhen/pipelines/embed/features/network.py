"""Embeddings of the trained network, and of one that was not trained."""

from collections.abc import Iterator, Sequence

from kedro.pipeline import Node, node

from wherewhen.pipelines.embed.features.record import FeatureKind

NETWORKS = {"network": "network", "untrained": "untrained_network"}
"""The data set that holds each network."""

DESCRIPTIONS = {
    "network": "Embeddings of the trained network.",
    "untrained": "Embeddings of the network with its initial weights.",
}


def _nodes(names: Sequence[str]) -> Iterator[Node]:
    """Encode each clip, and let the network say how alike clips are."""
    from wherewhen.pipelines.embed import nodes

    for name in names:
        network, embeddings = NETWORKS[name], f"embeddings_{name}"
        options = [f"params:embed.{each}" for each in ("batch_size", "average_variants", "frames")]
        yield node(
            nodes.encode,
            [network, "cubes", "windows", *options],
            embeddings,
            name=f"embed_by_{network}",
        )
        yield node(
            nodes.compare, [network, embeddings], f"logits_{name}", name=f"compare_by_{network}"
        )


KINDS = tuple(
    FeatureKind(
        name,
        DESCRIPTIONS[name],
        _nodes,
        network=network,
        trains=name == "network",
        default=True,
    )
    for name, network in NETWORKS.items()
)
