"""Synthetic data: walking people rendered from the `anny` body model.

It gives the first run something to learn from without a dataset's licence: real bodies from real
viewpoints, dressed from a small wardrobe that many of them share. `plan` decides who is filmed
where and for how long, `SyntheticSet.render` films one tracklet, `write_set` writes them all
and `mosaic` shows them. `torch`, `anny` and `warp` are imported when something is rendered, never
before.

May import the packages `tracklets`, `metric_learning`, `retrieval`, `features` and `model` (and
uses `tracklets` alone).
"""

from wherewhen.synthetic.config import CameraConfig, SyntheticConfig
from wherewhen.synthetic.mosaic import mosaic
from wherewhen.synthetic.planning import SyntheticSet, plan
from wherewhen.synthetic.writer import write_set

__all__ = [
    "CameraConfig",
    "SyntheticConfig",
    "SyntheticSet",
    "mosaic",
    "plan",
    "write_set",
]
