"""Wires of `train`."""

from collections.abc import Iterable

from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.train import nodes
from wherewhen.pipelines.trials import per_trial


def create_pipeline(trials: Iterable[str]) -> Pipeline:
    """Return the stage for all trials."""
    once = Pipeline(
        [
            node(
                nodes.initialise,
                ["cubes", "split", "params:train"],
                "untrained_network",
                name="initialise",
            ),
            node(
                nodes.fit,
                ["untrained_network", "cubes", "split", "checkpoints", "params:train"],
                ["network", "history"],
                name="fit",
            ),
        ]
    )
    return per_trial(once, trials, shared={"cubes", "params:train"})
