"""Pipeline of the stage `learn_metric`."""

from collections.abc import Iterable, Sequence

from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.learn_metric import nodes
from wherewhen.pipelines.trials import per_trial


def create_pipeline(trials: Iterable[str], features: Sequence[str]) -> Pipeline:
    """Return the stage for all trials."""
    once = Pipeline(
        [
            node(
                nodes.learn,
                [f"embeddings_{name}", "params:learn_metric"],
                [f"metrics_{name}", f"metric_settings_{name}"],
                name=f"learn_metrics_on_{name}",
            )
            for name in features
        ]
    )
    return per_trial(once, trials)
