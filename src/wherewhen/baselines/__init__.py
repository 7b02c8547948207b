"""Rivals of the network, from raw frames: what the paper compares itself with (Section V-E to V-G).

Each is a :class:`wherewhen.baselines.base.Baseline`, written from its paper.
"""

from wherewhen.baselines.base import Baseline, Clip

__all__ = ["BASELINES", "Baseline", "Clip"]

BASELINES: dict[str, str] = {
    "hog3d": "wherewhen.baselines.hog3d:HOG3D",
    "fv2d": "wherewhen.baselines.fv2d:FV2D",
    "fv3d": "wherewhen.baselines.fv3d:FV3D",
    "stfv3d": "wherewhen.baselines.stfv3d:STFV3D",
    "colour_lbp": "wherewhen.baselines.colour_lbp:ColourLBP",
    "s_lstm": "wherewhen.baselines.s_lstm:SLSTM",
    "rcn": "wherewhen.baselines.rcn:RCN",
}
"""Where the baseline of a name is: ``module:class``, imported when it is asked for."""
