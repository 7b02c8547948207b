"""Wires of `train`."""

from collections.abc import Iterable

from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.train import nodes
from wherewhen.pipelines.trials import per_trial


def create_pipeline(
    trials: Iterable[str], untrained: bool = True, trained: bool = True, borrowed: bool = False
) -> Pipeline:
    """Return the stage for all trials.

    Parameters
    ----------
    trials : iterable of str
        The trials' namespaces.
    untrained, trained : bool
        Which networks are wanted.
    borrowed : bool
        Take a trained network from a file instead of training one.
    """
    initialise = node(
        nodes.initialise,
        ["cubes", "split", "params:train"],
        "untrained_network",
        name="initialise",
    )
    fit = node(
        nodes.fit,
        ["untrained_network", "cubes", "split", "checkpoints", "params:train"],
        ["network", "history"],
        name="fit",
    )
    borrow = node(nodes.borrow, ["cubes", "split", "params:train"], "network", name="borrow")
    once = Pipeline([])
    if untrained or (trained and not borrowed):
        once += Pipeline([initialise])
    if trained:
        once += Pipeline([borrow if borrowed else fit])
    return per_trial(once, trials, shared={"cubes", "params:train"} & once.inputs())
