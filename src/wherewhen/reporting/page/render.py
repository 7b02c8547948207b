"""Fills the page's template with its data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from wherewhen.reporting.html import environment
from wherewhen.reporting.page.model import Experiment, Page
from wherewhen.reporting.tables import NOTHING

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup
    from pandas.io.formats.style import Styler

_COLUMNS = {"mean": "ours", "deviation": "±", "published": "paper", "difference": "diff."}
_QUOTED = "quoted"


def render(page: Page) -> str:
    """Return the page as one HTML document, in which every text of its data is escaped."""
    return _environment().get_template("page.html.jinja").render(page=page)


def numbers(experiment: Experiment) -> Markup:
    """Return the table of an experiment: for each measure ours, the paper's and the difference.

    The best of ours is bold, several where they are equal as printed. Measures and columns that no
    row has are left out.
    """
    of_measures = {
        measure: lines.set_index("row")[list(_COLUMNS)].rename(columns=_COLUMNS)
        for measure, lines in experiment.numbers.groupby("measure", sort=False)
    }
    wide = pd.concat(of_measures, axis=1).dropna(axis=1, how="all")
    wide = wide.round(1) + 0.0  # no -0.0
    signs = {name: "{:+.1f}" if name[1] == "diff." else "{:.1f}" for name in wide}
    ours = [name for name in wide if name[1] == "ours"]
    firsts = wide.columns[~wide.columns.get_level_values(0).duplicated()]
    rows = {row.name: row for row in experiment.rows}
    wide.insert(0, ("", "by"), [rows[name].measures if name in rows else "" for name in wide.index])
    wide["", "trials"] = [rows[name].state if name in rows else _QUOTED for name in wide.index]
    styled = wide.rename_axis(None).style.highlight_max(ours, props="font-weight: bold")
    styled.set_properties(firsts, **{"padding-left": "1.5rem"})
    return _escaped(styled.format(signs, na_rep=NOTHING, escape="html"))


def table(rows: Mapping[str, Mapping[str, str]]) -> Markup:
    """Return a table of texts from cells by row and column; missing cells stay empty."""
    return _escaped(pd.DataFrame(rows).T.style.format(na_rep="", escape="html"))


def anchor(*names: str) -> str:
    """Return an id for a place in the page: ``prid2011-table-iii``."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(names).lower()).strip("-")


def _escaped(styled: Styler) -> Markup:
    from markupsafe import Markup

    for axis in ("index", "columns"):
        styled.format_index(escape="html", axis=axis)
    return Markup(styled.to_html())


def _environment() -> Environment:
    made = environment("page")
    made.filters |= {each.__name__: each for each in (numbers, table)}
    made.globals["anchor"] = anchor
    return made
