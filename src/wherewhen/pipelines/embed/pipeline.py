"""Wires of `embed`."""

from collections.abc import Iterable, Sequence
from functools import partial, update_wrapper

from kedro.pipeline import Pipeline, node

from wherewhen.baselines import BASELINES
from wherewhen.pipelines.embed import nodes
from wherewhen.pipelines.features import FISHER, NETWORKS, POOLED
from wherewhen.pipelines.trials import per_trial


def create_pipeline(trials: Iterable[str], features: Sequence[str]) -> Pipeline:
    """Return the stage for all trials; `features` are names of :mod:`wherewhen.pipelines.features`.

    What looks at raw frames alone asks for no cubes.
    """
    windows = node(
        nodes.choose_windows,
        [
            "split",
            "tracklets",
            "params:embed.frames",
            "params:embed.clips",
            "params:embed.clip_frames",
        ],
        "windows",
        name="choose_windows",
    )
    pooled = [name for name in POOLED if name in features]
    once = Pipeline([windows, *([_pool(pooled)] if pooled else [])])
    for name in features:
        if name in NETWORKS:
            once += Pipeline(_encode(name))
        elif name == FISHER:
            once += Pipeline([_fisher()])
        elif name in BASELINES:
            once += Pipeline([_describe(name)])
    return per_trial(once, trials)


def _encode(features: str) -> list:
    """Wire a network's embeddings, and how alike it finds them."""
    network, embeddings = NETWORKS[features], f"embeddings_{features}"
    return [
        node(
            nodes.encode,
            [
                network,
                "cubes",
                "windows",
                "params:embed.batch_size",
                "params:embed.average_variants",
                "params:embed.frames",
            ],
            embeddings,
            name=f"embed_by_{network}",
        ),
        node(
            nodes.compare,
            [network, embeddings],
            f"logits_{features}",
            name=f"compare_by_{network}",
        ),
    ]


def _fisher() -> object:
    return node(
        nodes.encode_fisher,
        [
            NETWORKS["network"],
            "cubes",
            "windows",
            "params:embed.fisher",
            "params:embed.batch_size",
        ],
        f"embeddings_{FISHER}",
        name=f"embed_by_{FISHER}",
    )


def _pool(pooled: list[str]) -> object:
    return node(
        update_wrapper(partial(nodes.pool, features=pooled), nodes.pool),
        ["cubes", "windows"],
        [f"embeddings_{name}" for name in pooled],
        name="pool_cubes",
    )


def _describe(features: str) -> object:
    """Wire a rival of the network."""
    return node(
        update_wrapper(partial(nodes.describe, features=features), nodes.describe),
        ["frames_root", "frames", "windows", f"params:embed.baselines.{features}"],
        f"embeddings_{features}",
        name=f"describe_by_{features}",
    )
