"""The record of a kind of features."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from kedro.pipeline import Node


@dataclass(frozen=True)
class FeatureKind:
    """A kind of features: how its embeddings are made, and by what they are measured.

    Attributes
    ----------
    name : str
        The name in `embed.features`, in tables and in figures.
    description : str
        What stands for a clip, for the reference.
    nodes : callable
        Returns the nodes of one trial that make ``embeddings_<name>`` of each name that it is
        given. Kinds with the same callable are made together, so that one node can read cubes once
        for all of them.
    network : str or None
        The data set of the network whose similarity (Eq 8) is scored, too: its nodes also make
        ``logits_<name>``.
    trains : bool
        Whether a network is trained for it.
    euclidean : bool
        Whether it is also measured by the Euclidean distance, as a network's embeddings always are.
    default : bool
        Whether it is made where `embed.features` is not set.

    See Also
    --------
    wherewhen.pipelines.embed.features.FEATURES : All records.

    Examples
    --------
    >>> from wherewhen.pipelines.embed.features import FEATURES
    >>> FEATURES["fisher"].trains, FEATURES["fisher"].network
    (True, None)
    """

    name: str
    description: str
    nodes: Callable[[Sequence[str]], Iterable[Node]]
    network: str | None = None
    trains: bool = False
    euclidean: bool = False
    default: bool = False
