"""Reporting: the figures of a run and of experiments, as :class:`matplotlib.figure.Figure` objects.

Numbers: ``cmc_curves``, ``row_cmc_curves``, ``training_curves``, ``convergence``,
``loss_over_lambda``, ``length_map``. Pictures: ``attention_over_time``,
``frame_weights_over_time``, ``ranked_probes``, ``failed_probes``. Save with
``figure.savefig(path)``; the resolution is set.
"""

from wherewhen.reporting.figures.attention import AttentionStrip, attention_over_time
from wherewhen.reporting.figures.curves import cmc_curves, row_cmc_curves, training_curves
from wherewhen.reporting.figures.failures import FailedProbe, failed_probes
from wherewhen.reporting.figures.frame_weights import WeightedClip, frame_weights_over_time
from wherewhen.reporting.figures.lengths import length_map
from wherewhen.reporting.figures.ranked import RankedProbe, ranked_probes
from wherewhen.reporting.figures.validation import convergence, loss_over_lambda

__all__ = [
    "AttentionStrip",
    "FailedProbe",
    "RankedProbe",
    "WeightedClip",
    "attention_over_time",
    "cmc_curves",
    "convergence",
    "failed_probes",
    "frame_weights_over_time",
    "length_map",
    "loss_over_lambda",
    "ranked_probes",
    "row_cmc_curves",
    "training_curves",
]
