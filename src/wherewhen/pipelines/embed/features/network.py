"""Embeddings of the trained network, and of those that its training may start from."""

from collections.abc import Iterator, Sequence

from kedro.pipeline import Node, node

from wherewhen.pipelines.embed.features.record import FeatureKind


def _nodes(names: Sequence[str]) -> Iterator[Node]:
    """Encode each clip, and let the network say how alike clips are."""
    from wherewhen.pipelines.embed import nodes

    networks = {kind.name: kind.network for kind in KINDS}
    for name in names:
        network, embeddings = networks[name], f"embeddings_{name}"
        options = [f"params:embed.{each}" for each in ("batch_size", "average_variants", "frames")]
        yield node(
            nodes.encode,
            [network, "cubes", "windows", *options, "params:device", "params:execution"],
            embeddings,
            name=f"embed_by_{network}",
        )
        yield node(
            nodes.compare, [network, embeddings], f"logits_{name}", name=f"compare_by_{network}"
        )


KINDS = (
    FeatureKind(
        "network",
        "Embeddings of the trained network.",
        _nodes,
        network="network",
        trains=True,
        default=True,
    ),
    FeatureKind(
        "untrained",
        "Embeddings of the network with its initial weights.",
        _nodes,
        network="untrained_network",
        default=True,
    ),
    FeatureKind(
        "start",
        "Embeddings of the network that the training starts from (`train.start`).",
        _nodes,
        network="start_network",
    ),
)
