"""Tables of tracklets, frames and splits: read data sets, check them, and split them.

Readers convert a data set to two validated tables (`tracklets`, `frames`), splits assign every
tracklet a role per trial, and clips select frames of a tracklet. This package imports no torch,
and of the library only `atomic`, `locks` and `hints`. Import from its modules, e.g.
``from wherewhen.tracklets.splits import draw_splits``.
"""

ROLES = ("train", "probe", "gallery")
"""Roles of a tracklet in a trial."""

SUBSETS = ("train", "test")
"""Sides of a fixed split."""

KINDS = ("person", "junk", "distractor")
"""Kinds of tracklets: a labelled person; junk, which is ignored by evaluations (false detections);
a distractor, which is in the gallery and matches nobody."""
