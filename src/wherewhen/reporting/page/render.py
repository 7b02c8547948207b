"""Fills the page's template with its data."""

from __future__ import annotations

import base64
import re
from math import isnan
from typing import TYPE_CHECKING

from wherewhen.reporting.page.model import Number, Page
from wherewhen.reporting.tables import NOTHING

if TYPE_CHECKING:
    from jinja2 import Environment


def render(page: Page) -> str:
    """Return the page as one HTML document, in which every text of its data is escaped.

    plotly.js (4.8 MB) is in it once, and only if there is a plot.
    """
    from plotly.offline import get_plotlyjs

    plotted = any(experiment.plots for each in page.datasets for experiment in each.experiments)
    template = _environment().get_template("page.html.jinja")
    return template.render(page=page, plotly=get_plotlyjs() if plotted else "")


def percent(value: float) -> str:
    """Write ``83.14`` as ``"83.1"``, NaN as a dash."""
    return NOTHING if isnan(value) else f"{value:.1f}"


def spread(value: float) -> str:
    """Write a deviation ``2.36`` as ``"± 2.4"``, NaN as nothing."""
    return "" if isnan(value) else f"± {value:.1f}"


def signed(value: float) -> str:
    """Write a difference as ``"+2.1"``, ``"−0.4"`` or ``"0.0"``, NaN as a dash."""
    text = percent(abs(value))
    return text if text in ("0.0", NOTHING) else f"{'+' if value > 0 else '−'}{text}"


def data_uri(png: bytes) -> str:
    """Return a PNG file as a URL that holds it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def anchor(*names: str) -> str:
    """Return an id for a place in the page: ``prid2011-table-iii``."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(names).lower()).strip("-")


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("wherewhen.reporting", "page"),
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {each.__name__: each for each in (percent, spread, signed, data_uri)}
    environment.globals |= {"anchor": anchor, "no_number": Number()}
    return environment
