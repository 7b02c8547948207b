"""The one page: put into HTML, in one piece, with nothing left to fetch."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from wherewhen.reporting.page import numbers, plots
from wherewhen.reporting.page.content import Experiment, Number, Page, Picture, Status

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATE = "page.html.jinja"


class Plot(NamedTuple):
    """A plot as the template shows it: heading, caption, what it is, plotly's data and layout."""

    heading: str
    caption: str
    description: str
    drawing: dict[str, Any]


def render(page: Page) -> str:
    """Write a page.

    Parameters
    ----------
    page : Page
        What it shows. Every text in it is escaped: names are names, never HTML.

    Returns
    -------
    str
        A whole HTML document. plotly.js (4.8 MB: the Python package brings the full bundle and no
        smaller one) is in it once, and only if something is plotted.
    """
    from plotly.offline import get_plotlyjs

    shown = {
        (dataset.environment, experiment.name): list(experiment_plots(experiment))
        for dataset in page.datasets
        for experiment in dataset.experiments
    }
    return (
        _environment()
        .get_template(TEMPLATE)
        .render(page=page, plots=shown, plotly=get_plotlyjs() if any(shown.values()) else "")
    )


def experiment_plots(experiment: Experiment) -> Iterator[Plot]:
    """Yield the plots of an experiment that it has data for.

    Parameters
    ----------
    experiment : Experiment
        Whose curves, histories and matrices are drawn.
    """
    if experiment.curves:
        published = any(curve.published for curve in experiment.curves)
        yield Plot(
            "Cumulative match characteristic",
            "The share of probes whose person is among the first k of the gallery; the mean over "
            "the trials, shaded by one standard deviation. Point at a curve to read it; click a "
            "name to hide or show it, double-click to see it alone."
            + (" The paper’s figures are in the legend too, hidden at first." if published else ""),
            f"CMC curves of {_enumerate([curve.name for curve in experiment.curves])}; "
            "the table above has their numbers.",
            plots.to_json(plots.cmc_plot(experiment.curves)),
        )
    if experiment.histories:
        validated = any(history.validation for history in experiment.histories)
        yield Plot(
            "Convergence",
            "Training loss by epoch, averaged over the trials"
            + ("; the loss on validation persons dotted." if validated else "."),
            f"Loss over epochs of {_enumerate([one.name for one in experiment.histories])}.",
            plots.to_json(plots.convergence_plot(experiment.histories)),
        )
    for matrix in experiment.matrices:
        yield Plot(
            f"Rank-1 over lengths of videos: {matrix.name}",
            "Rank-1 in percent when the probe video (up) and the gallery videos (across) are cut "
            "to so many frames.",
            f"Heat map of rank-1 over probe and gallery lengths of {matrix.name}.",
            plots.to_json(plots.length_plot(matrix)),
        )


def data_uri(picture: Picture) -> str:
    """Put a picture's file into an address of its own."""
    return f"data:{picture.media_type};base64,{base64.b64encode(picture.data).decode()}"


def anchor(*names: str) -> str:
    """Name a place in the page: ``prid2011-table-iii``."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(names).lower()).strip("-")


def progress(experiment: Experiment) -> str:
    """Say how far an experiment is: ``"9 of 12 rows finished, 1 failed"``."""
    rows = [row for row in experiment.rows if row.status is not Status.QUOTED]
    if not rows:
        return "published figures only"
    count = {status: sum(row.status is status for row in rows) for status in Status}
    text = f"{count[Status.FINISHED]} of {len(rows)} rows finished"
    others = (Status.PARTLY, Status.FAILED, Status.NOT_RUN)
    return ", ".join([text, *(f"{count[one]} {one}" for one in others if count[one])])


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("wherewhen.reporting", "page"),
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "percent": numbers.percent,
        "spread": numbers.spread,
        "signed": numbers.signed,
        "data_uri": data_uri,
    }
    environment.globals |= {
        "anchor": anchor,
        "best": numbers.best,
        "no_number": Number(),
        "progress": progress,
    }
    return environment


def _enumerate(names: list[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
