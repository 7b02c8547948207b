"""Pipeline of the stage `train`."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline, node

from wherewhen.pipelines.train import nodes
from wherewhen.pipelines.trials import per_trial


def create_pipeline(
    trials: Sequence[str], untrained: bool = True, trained: bool = True, borrowed: bool = False
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
    """
    initialise = node(
        nodes.initialise,
        [
            "cubes",
            "split",
            "params:train.network",
            "params:train.seed_by_trial",
        ],
        "untrained_network",
        name="initialise",
    )
    fit = node(
        nodes.fit,
        [
            "untrained_network",
            "cubes",
            "split",
            "checkpoints",
            "params:train.training",
            "params:train.seed_by_trial",
        ],
        ["network", "history"],
        name="fit",
    )
    once = Pipeline([initialise] if untrained or (trained and not borrowed) else [])
    if trained and not borrowed:
        once += Pipeline([fit])
    made = per_trial(once, trials)
    return made + Pipeline([_borrow(trial) for trial in trials] if trained and borrowed else [])


def _borrow(trial: str) -> Node:
    """Make the node that loads one trial's network."""
    return node(
        nodes.borrow,
        ["cubes", f"params:train.network_from.{trial}"],
        f"{trial}.network",
        name="borrow",
        namespace=trial,
    )
