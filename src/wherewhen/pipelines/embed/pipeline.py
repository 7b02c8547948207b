"""Wires of `embed`."""

from collections.abc import Iterable

from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.embed import nodes
from wherewhen.pipelines.trials import per_trial

NETWORKS = {"network": "network", "untrained": "untrained_network"}
"""Features that a network makes, and the data set that holds it."""

FEATURES = (*NETWORKS, "mean_pooled", "row_pooled")
"""What an embedding can come from; the last two know no network."""

FISHER = "fisher"
"""Features that are made when Fisher vectors are asked for: the trained network's frames."""


def features_with(fisher: bool) -> tuple[str, ...]:
    """Return the features of a run, with Fisher vectors or without."""
    return (*FEATURES, FISHER) if fisher else FEATURES


def create_pipeline(trials: Iterable[str], fisher: bool = False) -> Pipeline:
    """Return the stage for all trials, with Fisher vectors or without."""
    windows = node(
        nodes.choose_windows,
        ["split", "cubes", "params:embed"],
        "windows",
        name="choose_windows",
    )
    encode = [
        node(
            nodes.encode,
            [network, "cubes", "windows", "params:embed"],
            f"embeddings_{features}",
            name=f"embed_by_{network}",
        )
        for features, network in NETWORKS.items()
    ]
    compare = [
        node(
            nodes.compare,
            [network, f"embeddings_{features}"],
            f"logits_{features}",
            name=f"compare_by_{network}",
        )
        for features, network in NETWORKS.items()
    ]
    pool = node(
        nodes.pool,
        ["cubes", "windows"],
        ["embeddings_mean_pooled", "embeddings_row_pooled"],
        name="pool_cubes",
    )
    once = Pipeline([windows, *encode, *compare, pool])
    if fisher:
        inputs = [NETWORKS["network"], "cubes", "windows", "params:embed"]
        once += Pipeline(
            [node(nodes.encode_fisher, inputs, f"embeddings_{FISHER}", name=f"embed_by_{FISHER}")]
        )
    return per_trial(once, trials, shared={"cubes", "params:embed"})
