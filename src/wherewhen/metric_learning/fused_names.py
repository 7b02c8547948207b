"""Names of fused distances in parameters and tables. Imports nothing: names cost nothing."""

from __future__ import annotations

from collections.abc import Iterable

FUSION = "fusion"
"""Stands for the features in tables, where distances of several features are fused."""

PLAIN = ("cosine", "euclidean")
"""The metrics of parts that need no learning."""

_BETWEEN, _WITHIN = " and ", "/"  # MLflow takes neither commas nor plus signs


def split_part(part: str) -> tuple[str, str]:
    """Split a part, ``features/metric``, into both; the metric is empty where there is none."""
    features, _, metric = part.partition(_WITHIN)
    return features, metric


def fused_name(parts: Iterable[str]) -> str:
    """Name the fusion of parts as a metric in tables.

    Examples
    --------
    >>> fused_name(["network/cosine", "row_pooled/kissme"])
    'network/cosine and row_pooled/kissme'
    """
    return _BETWEEN.join(parts)


def fused_parts(name: str) -> list[tuple[str, str]]:
    """Return features and metric of each part of a fusion's name.

    Examples
    --------
    >>> fused_parts("network/cosine and row_pooled/kissme")
    [('network', 'cosine'), ('row_pooled', 'kissme')]
    """
    return [split_part(part) for part in name.split(_BETWEEN)]
