"""The room of the one page: every finished experiment as a single static file of HTML.

``content`` says what a page shows, ``numbers`` writes figures for people, ``plots`` lays out the
plots that answer to the mouse, ``render`` puts all of it into ``page.html.jinja`` with ``page.css``
and ``page.js``. The page asks nobody for anything: plotly.js, pictures and style are in the file,
and a content security policy in its head lets the browser refuse everything else.

May import from ``retrieval`` and the rest of ``reporting``. Gathering what a page shows is the
Kedro side's, see :mod:`wherewhen.experiments.report`.
"""

from wherewhen.reporting.page.content import (
    Command,
    Curve,
    Dataset,
    Experiment,
    History,
    LengthMatrix,
    Number,
    Page,
    Picture,
    Row,
    Status,
    Trial,
)
from wherewhen.reporting.page.render import render

__all__ = [
    "Command",
    "Curve",
    "Dataset",
    "Experiment",
    "History",
    "LengthMatrix",
    "Number",
    "Page",
    "Picture",
    "Row",
    "Status",
    "Trial",
    "render",
]
