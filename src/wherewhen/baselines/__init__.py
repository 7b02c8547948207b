"""Rivals of the network, from raw frames: what the paper compares itself with (Section V-E to V-G).

Each is a :class:`wherewhen.baselines.base.Baseline`, written from its paper.
"""

from wherewhen.baselines.base import Baseline, Clip

__all__ = ["BASELINES", "Baseline", "Clip"]

BASELINES: dict[str, str] = {}
"""Where the baseline of a name is: ``module:class``, imported when it is asked for."""
