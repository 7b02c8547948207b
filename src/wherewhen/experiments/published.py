"""The numbers in the paper's tables III to VIII, for comparison with ours.

``published_results.csv`` has them as printed; misprints are noted in it, not corrected.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

SOURCE = (
    "L. Wu, Y. Wang, J. Gao, X. Li: Where-and-When to Look: Deep Siamese Attention Networks for "
    "Video-based Person Re-identification"
)
"""The paper."""

DATASETS = ("ilids_vid", "prid2011", "mars")
"""Data sets of the paper, by this project's names."""

_FILE = Path(__file__).with_name("published_results.csv")


@cache
def published_results() -> pd.DataFrame:
    """Return all published numbers.

    Returns
    -------
    pandas.DataFrame
        Columns ``table`` (III to VIII), ``method``, ``dataset``, ``measure`` (``rank-1`` ...),
        ``value`` (percent) and ``note`` (on a misprint; else empty). Shared: do not change it.
    """
    table = pd.read_csv(_FILE, comment="#", keep_default_na=False)
    table["measure"] = [f"rank-{rank}" for rank in table["rank"]]
    table = table.rename(columns={"cmc": "value"})
    return table[["table", "method", "dataset", "measure", "value", "note"]]


def methods(table: str) -> list[str]:
    """Name the methods of one of the paper's tables, in its order."""
    results = published_results()
    return results.method[results.table == table].unique().tolist()


def figures(table: str | None, method: str | None, dataset: str) -> pd.DataFrame:
    """Return the published numbers of a method on a data set.

    Parameters
    ----------
    table, method : str or None
        As in `published_results`; None: no numbers.
    dataset : str
        One of `DATASETS`; of others there are no numbers.

    Returns
    -------
    pandas.DataFrame
        Indexed by measure, columns ``value`` (percent) and ``note``; may be empty.
    """
    results = published_results()
    chosen = (results.table == table) & (results.method == method) & (results.dataset == dataset)
    return results[chosen].set_index("measure")[["value", "note"]]


def curve(found: pd.DataFrame) -> dict[int, float]:
    """Return what `figures` returned as a CMC curve: rank to fraction; may be empty."""
    ranks = found.index.str.removeprefix("rank-").astype(int)
    return dict(zip(ranks, found.value / 100, strict=True))
