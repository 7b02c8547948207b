"""Wires of `split`."""

from collections.abc import Iterable
from functools import partial, update_wrapper

from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.split import nodes


def create_pipeline(trials: Iterable[str]) -> Pipeline:
    """Return the stage: one table of all trials, and from it one a trial."""
    draw = node(
        nodes.draw,
        ["tracklets", "params:split"],
        ["splits", "split_fingerprints"],
        name="draw_splits",
    )
    takes = [
        node(
            update_wrapper(partial(nodes.take_trial, trial=trial), nodes.take_trial),
            "splits",
            f"{trial}.split",
            name="take_trial",
            namespace=trial,
        )
        for trial in trials
    ]
    return Pipeline([draw, *takes])
