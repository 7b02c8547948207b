"""Pipeline of the stage `train`."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline, node

from wherewhen.pipelines.train import nodes
from wherewhen.pipelines.trials import per_trial


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
    shown = ["frames", "synthetic_people"] if guided else []
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
            *shown,
        ],
        ["network", "history"],
        name="fit",
    )
    from_random = trained and not borrowed and not started
    once = Pipeline([initialise] if untrained or from_random else [])
    if from_random:
        once += Pipeline([fit])
    made = per_trial(once, trials)
    if not trained or from_random:
        return made
    return made + Pipeline(
        [_borrow(trial) if borrowed else _fit_from(trial, shown) for trial in trials]
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


def _fit_from(trial: str, shown: Sequence[str]) -> Node:
    """Make the node that trains one trial's network from a file's weights."""
    return node(
        nodes.fit_from,
        [
            f"params:train.start.{trial}",
            "cubes",
            f"{trial}.split",
            f"{trial}.checkpoints",
            "params:train.network",
            "params:train.training",
            "params:train.seed_by_trial",
            *shown,
        ],
        [f"{trial}.network", f"{trial}.history"],
        name="fit",
        namespace=trial,
    )
