"""Wires of `learn_metric`."""

from collections.abc import Iterable

from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.embed.pipeline import features_with
from wherewhen.pipelines.learn_metric import nodes
from wherewhen.pipelines.trials import per_trial


def create_pipeline(trials: Iterable[str], fisher: bool = False) -> Pipeline:
    """Return the stage for all trials, with Fisher vectors or without."""
    once = Pipeline(
        [
            node(
                nodes.learn,
                [f"embeddings_{features}", "params:learn_metric"],
                f"metrics_{features}",
                name=f"learn_metrics_on_{features}",
            )
            for features in features_with(fisher)
        ]
    )
    return per_trial(once, trials, shared={"params:learn_metric"})
