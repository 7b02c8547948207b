"""The room of retrieval: from distances between tracklets to ranks, CMC curves and mAP.

Everything is a function of a distance matrix and of names; how the distances were made does not
matter, and a protocol's name stands on every result. This is the ground floor: numpy, scipy and
pandas only, no other room, never torch.
"""

from wherewhen.retrieval.evaluate import Evaluation, evaluate, rankings
from wherewhen.retrieval.protocols import PROTOCOLS, Protocol
from wherewhen.retrieval.re_ranking import re_rank
from wherewhen.retrieval.scoring import score
from wherewhen.retrieval.task import Task

__all__ = [
    "PROTOCOLS",
    "Evaluation",
    "Protocol",
    "Task",
    "evaluate",
    "rankings",
    "re_rank",
    "score",
]
