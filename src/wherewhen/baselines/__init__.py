"""Rivals of the network, from raw frames: what the paper compares itself with (Section V-E to V-G).

Each is a :class:`wherewhen.baselines.base.Baseline`, written from its paper.
"""

from wherewhen.baselines.base import Baseline, Clip

__all__ = ["BASELINES", "Baseline", "Clip"]

BASELINES = ("hog3d", "fv2d", "fv3d", "stfv3d", "colour_lbp", "s_lstm", "rcn")
"""Their names; `wherewhen.baselines.describe.CLASSES` says where each is."""
