"""Pipeline of the stage `learn_metric`."""

from collections.abc import Iterable, Sequence

from kedro.pipeline import Node, Pipeline, node

from wherewhen.pipelines.learn_metric import nodes
from wherewhen.pipelines.trials import per_trial

BORROWED = "network"
"""The features of which a file has metrics."""


def create_pipeline(
    trials: Iterable[str], features: Sequence[str], borrowed: bool = False
) -> Pipeline:
    """Return the stage for all trials.

    Parameters
    ----------
    trials : iterable of str
        The trials' namespaces.
    features : sequence of str
        Kinds of features.
    borrowed : bool
        Take metrics of the network's embeddings from a file, and learn none.
    """
    return per_trial(Pipeline([_metrics(name, borrowed) for name in features]), trials)


def _metrics(features: str, borrowed: bool) -> Node:
    """Make the node of one kind of features."""
    embeddings = f"embeddings_{features}"
    if not borrowed:
        function, read, verb = nodes.learn, [embeddings, "params:learn_metric"], "learn"
    elif features == BORROWED:
        function, read, verb = nodes.borrow, ["params:learn_metric.metrics_from"], "borrow"
    else:
        function, read, verb = nodes.leave_out, [embeddings], "leave_out"
    made = [f"metrics_{features}", f"metric_settings_{features}"]
    return node(function, read, made, name=f"{verb}_metrics_on_{features}")
