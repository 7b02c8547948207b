"""Wires of `evaluate`."""

from collections.abc import Callable, Sequence
from functools import partial, update_wrapper

from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.embed.pipeline import FEATURES, NETWORKS
from wherewhen.pipelines.evaluate import nodes
from wherewhen.pipelines.trials import per_trial


def create_pipeline(trials: Sequence[str]) -> Pipeline:
    """Return the stage for all trials, and what puts them together."""
    once = Pipeline([_score(features) for features in FEATURES])
    outputs = [f"{trial}.{{}}_{features}" for trial in trials for features in FEATURES]
    collect = node(
        nodes.collect,
        [name.format(table) for table in ("scores", "rankings") for name in outputs],
        ["scores", "rankings", "score_metrics"],
        name="collect_scores",
    )
    return per_trial(once, trials, shared={"params:evaluate"}) + Pipeline([collect])


def _score(features: str) -> object:
    """Wire the scoring of one kind of features; a network's have its own similarity besides."""
    function: Callable = nodes.score_network if features in NETWORKS else nodes.score_vectors
    network = [NETWORKS[features]] if features in NETWORKS else []
    return node(
        update_wrapper(partial(function, features=features), function),
        [f"embeddings_{features}", f"metrics_{features}", *network, "params:evaluate"],
        [f"scores_{features}", f"rankings_{features}"],
        name=f"score_{features}",
    )
