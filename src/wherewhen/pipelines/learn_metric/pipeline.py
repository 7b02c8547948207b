"""Wires of `learn_metric`."""

from collections.abc import Iterable

from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.embed.pipeline import FEATURES
from wherewhen.pipelines.learn_metric import nodes
from wherewhen.pipelines.trials import per_trial


def create_pipeline(trials: Iterable[str]) -> Pipeline:
    """Return the stage for all trials."""
    once = Pipeline(
        [
            node(
                nodes.learn,
                [f"embeddings_{features}", "params:learn_metric"],
                f"metrics_{features}",
                name=f"learn_metrics_on_{features}",
            )
            for features in FEATURES
        ]
    )
    return per_trial(once, trials, shared={"params:learn_metric"})
