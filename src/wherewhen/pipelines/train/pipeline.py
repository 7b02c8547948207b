"""Pipeline of the stage `train`."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline, node

from wherewhen.pipelines.train import nodes
from wherewhen.pipelines.trials import per_trial

UNTRAINED, START = "untrained_network", "start_network"
"""Networks that a training starts from: of random weights, or those of a file."""


def create_pipeline(
    trials: Sequence[str],
    untrained: bool = True,
    trained: bool = True,
    borrowed: bool = False,
    started: bool = False,
    guided: bool = False,
) -> Pipeline:
    """Return the stage for all trials.

    Parameters
    ----------
    trials : sequence of str
        The trials' namespaces.
    untrained, trained : bool
        Networks to make.
    borrowed : bool
        Take a trained network from a file instead of training one.
    started : bool
        Start training from the weights of a file.
    guided : bool
        Guide the training by what rendered frames show.
    """
    settings = [
        "params:train.network",
        "params:train.seed_by_trial",
        "params:train.backbone",
        "params:extract",
    ]
    from_random = trained and not borrowed and not started
    once = Pipeline([])
    if untrained or from_random:
        inputs = ["cubes", "split", *settings]
        once += Pipeline([node(nodes.initialise, inputs, UNTRAINED, name="initialise")])
    if trained and not borrowed:
        once += Pipeline([_fit(START if started else UNTRAINED, guided)])
    made = per_trial(once, trials)
    if started:
        made += Pipeline([_start(trial, settings) for trial in trials])
    if trained and borrowed:
        made += Pipeline([_borrow(trial) for trial in trials])
    return made


def _fit(start: str, guided: bool) -> Node:
    """Make the node that trains a network from what it starts with."""
    shown = ["frames", "synthetic_people"] if guided else []
    names = ("train.training", "train.seed_by_trial", "device", "execution")
    training = [f"params:{name}" for name in names]
    return node(
        nodes.fit,
        [start, "cubes", "split", "checkpoints", *training, *shown],
        ["network", "history"],
        name="fit",
    )


def _start(trial: str, settings: Sequence[str]) -> Node:
    """Make the node that builds one trial's network with the weights of a file."""
    return node(
        nodes.start,
        ["cubes", f"{trial}.split", *settings, f"params:train.start.{trial}"],
        f"{trial}.{START}",
        name="start",
        namespace=trial,
    )


def _borrow(trial: str) -> Node:
    """Make the node that loads one trial's network."""
    return node(
        nodes.borrow,
        ["cubes", f"params:train.network_from.{trial}"],
        f"{trial}.network",
        name="borrow",
        namespace=trial,
    )
