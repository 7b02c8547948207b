"""The report of experiments as one static HTML file.

``model`` holds the data that it shows, ``plots`` the interactive plots, ``render`` fills
``page.html.jinja`` (with ``page.css`` and ``page.js``). The file loads nothing: plotly.js, pictures
and style are in it, and a content security policy makes the browser refuse everything else.

May import from ``retrieval`` and the rest of ``reporting``.
:mod:`wherewhen.experiments.report` collects the data.
"""

from wherewhen.reporting.page.model import (
    Dataset,
    Experiment,
    Number,
    Page,
    Picture,
    Plot,
    Row,
    Status,
)
from wherewhen.reporting.page.plots import PLOTTED, cmc_plot, convergence_plot, length_plot
from wherewhen.reporting.page.render import render

__all__ = [
    "PLOTTED",
    "Dataset",
    "Experiment",
    "Number",
    "Page",
    "Picture",
    "Plot",
    "Row",
    "Status",
    "cmc_plot",
    "convergence_plot",
    "length_plot",
    "render",
]
