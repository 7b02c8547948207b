"""Wires of `evaluate`."""

from collections.abc import Callable, Sequence
from functools import partial, update_wrapper

from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.embed.pipeline import NETWORKS, features_with
from wherewhen.pipelines.evaluate import nodes
from wherewhen.pipelines.trials import per_trial


def create_pipeline(trials: Sequence[str], fisher: bool = False) -> Pipeline:
    """Return the stage for all trials, and what puts them together; with Fisher vectors or not."""
    scored = features_with(fisher)
    once = Pipeline([_score(features) for features in scored])
    outputs = [f"{trial}.{{}}_{features}" for trial in trials for features in scored]
    collect = node(
        nodes.collect,
        [name.format(table) for table in ("scores", "rankings") for name in outputs],
        ["scores", "rankings", "score_metrics"],
        name="collect_scores",
    )
    reliability = node(
        nodes.collect_reliability,
        [f"{trial}.reliability_{features}" for trial in trials for features in NETWORKS],
        "reliability",
        name="collect_reliability",
    )
    together = Pipeline([collect, reliability])
    return per_trial(once, trials, shared={"params:evaluate"}) + together


def _score(features: str) -> object:
    """Wire the scoring of one kind of features; a network's have its own similarity besides."""
    by_network = features in NETWORKS
    function: Callable = nodes.score_network if by_network else nodes.score_vectors
    logits, reliability = (
        [f"{name}_{features}"] if by_network else [] for name in ("logits", "reliability")
    )
    return node(
        update_wrapper(partial(function, features=features), function),
        [f"embeddings_{features}", f"metrics_{features}", *logits, "params:evaluate"],
        [f"scores_{features}", f"rankings_{features}", *reliability],
        name=f"score_{features}",
    )
