"""The kinds of features that a run can make: they decide which nodes there are."""

from collections.abc import Collection

from wherewhen.baselines import BASELINES

NETWORKS = {"network": "network", "untrained": "untrained_network"}
"""Features that a network makes, and the data set that holds it."""

POOLED = ("mean_pooled", "row_pooled")
"""Cubes averaged, with and without their rows: no network is asked."""

FISHER = "fisher"
"""Fisher vectors of the trained network's frames (Eq 10)."""

DEFAULT = (*NETWORKS, *POOLED)

KNOWN = (*DEFAULT, FISHER, *BASELINES)
"""All of them; the last are the paper's rivals, from raw frames."""


def of_trained_network(features: Collection[str]) -> bool:
    """Whether any of the features is a trained network's."""
    return not {"network", FISHER}.isdisjoint(features)


def unlearned_metrics(features: str) -> set[str]:
    """Name the metrics by which features are measured without learning one.

    Those by which some are trained stand beside the cosine: a network has its own similarity (Eq
    8), and rivals from raw frames are made for Euclidean distances.
    """
    euclidean = {"euclidean"} if features in {*NETWORKS, *BASELINES} else set()
    return {"cosine"} | euclidean | ({"siamese"} if features in NETWORKS else set())
