"""The one page: numbers as people read them. Percent, one digit, a real minus."""

from __future__ import annotations

import math
from collections.abc import Sequence

from wherewhen.reporting.page.content import Number, Row
from wherewhen.reporting.tables import NOTHING


def missing(value: float | None) -> bool:
    """Tell whether there is no number: None or NaN."""
    return value is None or math.isnan(value)


def percent(value: float | None) -> str:
    """Write ``83.14`` as ``"83.1"``, nothing as a dash."""
    return NOTHING if missing(value) else f"{value:.1f}"


def spread(value: float | None) -> str:
    """Write a deviation ``2.36`` as ``"± 2.4"``, none as nothing."""
    return "" if missing(value) else f"± {value:.1f}"


def signed(value: float | None) -> str:
    """Write a difference as ``"+2.1"``, ``"−0.4"`` or ``"0.0"``, nothing as a dash."""
    if missing(value):
        return NOTHING
    text = f"{abs(value):.1f}"
    if text == "0.0":
        return text
    return f"{'+' if value > 0 else '−'}{text}"


def best(rows: Sequence[Row], measure: str) -> set[str]:
    """Name the rows that have the greatest mean of ours; equal as printed is equal.

    Parameters
    ----------
    rows : sequence of Row
        Of one table.
    measure : str
        Of which.

    Returns
    -------
    set of str
        Their names; empty with fewer than two means, since nothing was compared.
    """
    means = {row.name: row.numbers.get(measure, Number()).mean for row in rows}
    printed = {name: round(mean, 1) for name, mean in means.items() if not missing(mean)}
    if len(printed) < 2:
        return set()
    return {name for name, mean in printed.items() if mean == max(printed.values())}
