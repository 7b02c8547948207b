"""Wires of `analyse`: not a part of the whole run, asked for by name."""

from collections.abc import Iterable

from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.analyse import nodes
from wherewhen.pipelines.trials import per_trial

TABLES = ("length_matrix", "frame_weights", "attention", "failures")
"""What the stage makes of a trial; each is drawn as the figure of the same name."""


def create_pipeline(trials: Iterable[str], trained: bool = True) -> Pipeline:
    """Return the stage for all trials.

    Parameters
    ----------
    trials : iterable of str
        The trials' namespaces.
    trained : bool
        Whether there is a trained network's ranking to look at; without one there is nothing to do.
    """
    if not trained:
        return Pipeline([])
    return per_trial(Pipeline([*_tables(), *_figures()]), trials)


def _tables() -> list:
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
            [
                "network",
                "cubes",
                "windows",
                "params:embed.batch_size",
                "params:analyse.tracklets",
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


def _figures() -> list:
    pictures = ["frames_root", "frames"]
    inputs = {
        nodes.draw_lengths: ["length_matrix"],
        nodes.draw_frame_weights: [*pictures, "frame_weights", "params:analyse.tracklets"],
        nodes.draw_attention: [*pictures, "attention"],
        nodes.draw_failures: [
            *pictures,
            "failures",
            "rankings_network",
            "params:analyse.metric",
            "params:analyse.failures",
        ],
    }
    return [
        node(draw, needed, f"figure_{table}", name=draw.__name__)
        for table, (draw, needed) in zip(TABLES, inputs.items(), strict=True)
    ]
