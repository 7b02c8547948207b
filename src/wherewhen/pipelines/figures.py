"""Nodes that draw figures, made of the figures' records."""

from collections.abc import Collection, Iterator, Sequence
from functools import partial, update_wrapper
from typing import Any

from kedro.pipeline import Node, node

from wherewhen.pipelines.types import Figure
from wherewhen.project import from_root
from wherewhen.reporting.figures import FIGURES
from wherewhen.tracklets.pictures import TrackletPictures


def draw(*inputs: Any, figure: str) -> Figure:
    """Draw a figure by its record; frames come first where it shows people."""
    kind = FIGURES[figure]
    if kind.people:
        root, frames, *inputs = inputs
        inputs = [TrackletPictures(from_root(root), frames), *inputs]
    return kind.draw(*inputs)


def figure_nodes(
    stage: str, made: Collection[str] | None = None, trials: Sequence[str] = ("",)
) -> Iterator[Node]:
    """Yield a node for each figure of a stage.

    Parameters
    ----------
    stage : str
        The figures' stage.
    made : collection of str, optional
        The data sets that there are: a figure that needs another one is left out. None: all.
    trials : sequence of str
        Namespaces that ``{trial}`` (the first) and ``{trials}`` (each) stand for.

    See Also
    --------
    wherewhen.reporting.figures.record.FigureKind : A figure's record.
    """
    for kind in FIGURES.values():
        inputs = [name for need in kind.needs for name in _names(need, trials)]
        needed = {name for name in inputs if not name.startswith("params:")}
        if kind.stage == stage and (made is None or needed <= set(made)):
            yield node(
                update_wrapper(partial(draw, figure=kind.name), draw),
                ["frames_root", "frames", *inputs] if kind.people else inputs,
                f"figure_{kind.name}",
                name=f"draw_{kind.name}",
            )


def _names(need: str, trials: Sequence[str]) -> list[str]:
    if "{trials}" in need:
        return [need.format(trials=trial) for trial in trials]
    return [need.format(trial=trials[0])]
