"""Methods that the paper compares its network with (Sections V-E to V-G), on raw frames.

Each is a `wherewhen.baselines.base.Baseline`, written from its paper.
"""

from wherewhen.baselines.base import Baseline, Clip

__all__ = ["BASELINES", "Baseline", "Clip"]

BASELINES = ("hog3d", "fv2d", "fv3d", "stfv3d", "colour_lbp", "s_lstm", "rcn")
"""Their names. `wherewhen.baselines.describe.CLASSES` has their classes."""
