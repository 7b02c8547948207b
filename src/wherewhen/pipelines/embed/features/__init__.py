"""The kinds of features: the vector of a clip. A module here has the records `KINDS`."""

import pkgutil
from collections.abc import Collection
from importlib import import_module

from wherewhen.pipelines.embed.features.record import FeatureKind

FEATURES: dict[str, FeatureKind] = {
    kind.name: kind
    for info in pkgutil.iter_modules(__path__)
    for kind in getattr(import_module(f"{__name__}.{info.name}"), "KINDS", ())
}
"""The records by name. To add a kind, write its module in this package."""

DEFAULT = tuple(name for name, kind in FEATURES.items() if kind.default)


def of_trained_network(features: Collection[str]) -> bool:
    """Whether any of the features is a trained network's."""
    return any(FEATURES[name].trains for name in features)


def unlearned_metrics(features: str) -> set[str]:
    """Name the metrics by which features are measured without learning one."""
    kind = FEATURES[features]
    euclidean = {"euclidean"} if kind.euclidean or kind.network else set()
    return {"cosine"} | euclidean | ({"siamese"} if kind.network else set())
