"""Pipeline of the stage `analyse`: not a part of the whole run, asked for by name."""

from collections.abc import Iterable

from kedro.pipeline import Node, Pipeline, node

from wherewhen.pipelines.analyse import nodes, truth
from wherewhen.pipelines.figures import figure_nodes
from wherewhen.pipelines.trials import per_trial


def create_pipeline(
    trials: Iterable[str], trained: bool = True, rendered: bool = False, untrained: bool = False
) -> Pipeline:
    """Return the stage for all trials.

    Parameters
    ----------
    trials : iterable of str
        The trials' namespaces.
    trained : bool
        Whether a trained network's embeddings are ranked; else the stage is empty.
    rendered : bool
        Whether people are rendered, so that it is known what each pixel shows.
    untrained : bool
        Whether there is an untrained network to compare with.
    """
    if not trained:
        return Pipeline([])
    tables = Pipeline([*_tables(), *([_measure_looks(untrained)] if rendered else [])])
    figures = figure_nodes("analyse", tables.datasets())
    return per_trial(Pipeline([tables, *figures]), trials)


def _measure_looks(untrained: bool) -> Node:
    """Make the node that needs the truth."""
    return node(
        truth.measure_looks,
        [
            "cubes",
            "windows",
            "frames",
            "synthetic_people",
            "params:embed.batch_size",
            "params:evaluate.dataset",
            "params:evaluate.protocol",
            "params:analyse.metric",
            "params:analyse.visible_shares",
            "params:analyse.seed",
            "params:analyse.tracklets",
            "params:device",
            "network",
            *(["untrained_network"] if untrained else []),
        ],
        ["looks", "attention_on_person"],
        name="measure_looks",
    )


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
                "params:device",
            ],
            "length_matrix",
            name="measure_lengths",
        ),
        node(
            nodes.look,
            [
                "network",
                "cubes",
                "windows",
                "params:embed.batch_size",
                "params:analyse.tracklets",
                "params:device",
            ],
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
