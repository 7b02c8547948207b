"""Reporting: the figures of a run, as :class:`matplotlib.figure.Figure` objects.

``cmc_curves`` and ``training_curves`` draw numbers, ``attention_over_time`` and ``ranked_probes``
draw pictures. Save with ``figure.savefig(path)``; the resolution is set.
"""

from wherewhen.reporting.figures.attention import AttentionStrip, attention_over_time
from wherewhen.reporting.figures.curves import cmc_curves, training_curves
from wherewhen.reporting.figures.ranked import RankedProbe, ranked_probes

__all__ = [
    "AttentionStrip",
    "RankedProbe",
    "attention_over_time",
    "cmc_curves",
    "ranked_probes",
    "training_curves",
]
