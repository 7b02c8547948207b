"""Reporting: the figures of a run and of experiments, as :class:`matplotlib.figure.Figure` objects.

A figure is a module with a function that draws it and its record
(:class:`~wherewhen.reporting.figures.record.FigureKind`). To add one, write its module and name it
in the list below: pipelines and catalog follow. Save a figure with
:func:`~wherewhen.reporting.figures.canvas.save_figure`.
"""

from importlib import import_module

from wherewhen.reporting.figures.attention import (
    AttentionStrip,
    attention_over_time,
    attention_strips,
)
from wherewhen.reporting.figures.clips import WeightedClip
from wherewhen.reporting.figures.cmc import cmc_curves, row_cmc_curves
from wherewhen.reporting.figures.failures import failed_probes
from wherewhen.reporting.figures.frame_weights import frame_weights_over_time, weighted_clips
from wherewhen.reporting.figures.lengths import length_map
from wherewhen.reporting.figures.ranked import RankedProbe, rank_pictures, ranked_probes
from wherewhen.reporting.figures.record import FigureKind
from wherewhen.reporting.figures.training import training_curves
from wherewhen.reporting.figures.validation import convergence, loss_over_lambda

_MODULES = (
    "wherewhen.reporting.figures.cmc",
    "wherewhen.reporting.figures.training",
    "wherewhen.reporting.figures.ranked",
    "wherewhen.reporting.figures.attention",
    "wherewhen.reporting.figures.on_person",
    "wherewhen.reporting.figures.frame_weights",
    "wherewhen.reporting.figures.lengths",
    "wherewhen.reporting.figures.failures",
    "wherewhen.reporting.figures.validation",
    "wherewhen.reporting.figures.where_and_when",
)
FIGURES = {kind.name: kind for module in _MODULES for kind in import_module(module).KINDS}
"""The records by name, in the order in which figures are shown."""


def kind_of(name: str) -> FigureKind | None:
    """Return the record whose name a file's name begins with, the longest; None without any."""
    found = [kind for kind in FIGURES.values() if name.startswith(kind.name)]
    return max(found, key=lambda kind: len(kind.name), default=None)


def shows_nobody(name: str) -> bool:
    """Whether a file is known, by its name, to be a figure without people."""
    kind = kind_of(name)
    return kind is not None and not kind.people


__all__ = [
    "FIGURES",
    "AttentionStrip",
    "FigureKind",
    "RankedProbe",
    "WeightedClip",
    "attention_over_time",
    "attention_strips",
    "cmc_curves",
    "convergence",
    "failed_probes",
    "frame_weights_over_time",
    "kind_of",
    "length_map",
    "loss_over_lambda",
    "rank_pictures",
    "ranked_probes",
    "row_cmc_curves",
    "shows_nobody",
    "training_curves",
    "weighted_clips",
]
