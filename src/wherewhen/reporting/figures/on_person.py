"""Reporting: attention beside the truth, for rendered people: where the person is, cell by cell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from wherewhen.reporting.figures.attention import attention_over_time, strips_of_table
from wherewhen.reporting.figures.record import FigureKind
from wherewhen.tracklets.pictures import TrackletPictures

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _draw(pictures: TrackletPictures, attention: pd.DataFrame, title: str = "") -> Figure:
    """Draw strips of a table of attention with ``covered``, the person’s share of each cell."""
    table = attention.rename(columns={"covered": "response"}).assign(channel=0)
    strips = [
        replace(strip, response_name="person’s\nshare of\na cell")
        for strip in strips_of_table(table, pictures)
    ]
    what = f"the probes of whom the most is hidden, {attention.trial.iloc[0]}"
    return attention_over_time(
        strips, title=f"{title or 'Where the network looks, and where the person is'}, {what}"
    )


KINDS = (
    FigureKind(
        "attention_on_person",
        "analyse",
        _draw,
        "Where and when the network looks, and where the person is (rendered people).",
        "Frames of several tracklets, each with the share of its cells that the person covers and "
        "with a heat map of attention laid over it.",
        ("attention_on_person",),
        people=True,
    ),
)
