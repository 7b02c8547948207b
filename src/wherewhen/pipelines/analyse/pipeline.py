"""Pipeline of the stage `analyse`: not a part of the whole run, asked for by name."""

from collections.abc import Iterable

from kedro.pipeline import Node, Pipeline, node

from wherewhen.pipelines.analyse import nodes
from wherewhen.pipelines.figures import figure_nodes
from wherewhen.pipelines.trials import per_trial


def create_pipeline(trials: Iterable[str], trained: bool = True) -> Pipeline:
    """Return the stage for all trials.

    Parameters
    ----------
    trials : iterable of str
        The trials' namespaces.
    trained : bool
        Whether a trained network's embeddings are ranked; else the stage is empty.
    """
    if not trained:
        return Pipeline([])
    return per_trial(Pipeline([*_tables(), *figure_nodes("analyse")]), trials)


def _tables() -> list[Node]:
    return [
        node(
            nodes.measure_lengths,
            [
                "network",
                "cubes",
                "split",
                "tracklets",
                "params:embed.batch_size",
                "params:evaluate.dataset",
                "params:evaluate.protocol",
                "params:analyse.lengths",
                "params:analyse.metric",
            ],
            "length_matrix",
            name="measure_lengths",
        ),
        node(
            nodes.look,
            ["network", "cubes", "windows", "params:embed.batch_size", "params:analyse.tracklets"],
            ["frame_weights", "attention"],
            name="look",
        ),
        node(
            nodes.list_failures,
            ["rankings_network", "params:evaluate.ranked", "params:analyse.metric"],
            "failures",
            name="list_failures",
        ),
    ]
