"""The room of the tables: what was filmed, how it is split, which frames make a clip.

Readers turn a folder of crops into two validated tables (`tracklets`, `frames`); splits give every
tracklet a role per trial; clips say which frames of a tracklet are looked at. The tables are the
language of all other rooms. This is the ground floor: it imports from no other room, and never
torch. Import from its modules, e.g. ``from wherewhen.tracklets.splits import draw_splits``.
"""

ROLES = ("train", "probe", "gallery")
"""What a tracklet does in a trial."""

SUBSETS = ("train", "test")
"""The sides of a data set whose authors fixed the split."""

KINDS = ("person", "junk", "distractor")
"""What a tracklet shows: somebody with a label; nobody that may count (a bad detection, which an
evaluation passes over); somebody else, who can only be mistaken for the person searched for."""
