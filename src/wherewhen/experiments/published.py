"""The figures that the paper prints in its tables III to VIII, to be read beside ours.

They are kept in ``published_results.csv`` with what is odd about them: nothing is corrected.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

SOURCE = (
    "L. Wu, Y. Wang, J. Gao, X. Li: Where-and-When to Look: Deep Siamese Attention Networks for "
    "Video-based Person Re-identification"
)
"""Where the figures come from."""

DATASETS = ("ilids_vid", "prid2011", "mars")
"""The sets that the paper reports, by the project's names."""

_FILE = Path(__file__).with_name("published_results.csv")


@cache
def published_results() -> pd.DataFrame:
    """Return all published figures.

    Returns
    -------
    pandas.DataFrame
        Columns ``table`` (III to VIII), ``method``, ``dataset``, ``measure`` (``rank-1`` ...),
        ``value`` (percent) and ``note`` (empty where nothing is odd). Not to be written to.
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
    """Return what the paper prints of a method on a data set.

    Parameters
    ----------
    table, method : str or None
        As `published_results` names them; None: of nothing.
    dataset : str
        One of `DATASETS`; of any other the paper knows nothing.

    Returns
    -------
    pandas.DataFrame
        Indexed by measure, columns ``value`` (percent) and ``note``; empty where there is nothing.
    """
    results = published_results()
    chosen = (results.table == table) & (results.method == method) & (results.dataset == dataset)
    return results[chosen].set_index("measure")[["value", "note"]]
