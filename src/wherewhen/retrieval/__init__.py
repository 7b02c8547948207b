"""Retrieval: from distances between tracklets to ranks, CMC curves and mAP.

Everything is a function of a distance matrix and labels, whatever made the distances; every result
carries its protocol's name. It imports no other package of this project, only numpy, scipy and
pandas.
"""

from wherewhen.retrieval.evaluate import Evaluation, evaluate, rankings
from wherewhen.retrieval.fusion import fuse
from wherewhen.retrieval.link_scores import link_scores
from wherewhen.retrieval.linking import link_tracklets, seen_together
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
    "fuse",
    "link_scores",
    "link_tracklets",
    "rankings",
    "re_rank",
    "score",
    "seen_together",
]
