"""Reporting: probes as picture rows, with what the gallery answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from wherewhen.reporting.figures.canvas import (
    HEAD,
    MARGIN,
    SMALL,
    picture_figure,
    place,
    require_at_least_one,
    show_picture,
    three_digits,
    write,
)
from wherewhen.reporting.figures.record import FigureKind
from wherewhen.reporting.looks import best_in_words, best_metric, with_metric
from wherewhen.reporting.style import INK, MUTED, RIGHT, WRONG, describe
from wherewhen.reporting.tables import best_and_worst
from wherewhen.tracklets.pictures import TrackletPictures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# inches
_PICTURE, _GAP, _APART = 0.8, 0.1, 0.35
_LETTER, _BELOW, _NAMES = 0.076, 0.36, 0.26


@dataclass(frozen=True, eq=False)
class RankedProbe:
    r"""A probe, the gallery tracklets nearest to it, and where its true match stands.

    Parameters
    ----------
    label : str
        Name of the probe, as ``"cam_a/person_0007"``.
    picture : numpy.ndarray
        uint8 [H, W, 3], a frame of the probe.
    gallery : sequence of numpy.ndarray
        Pictures of the nearest gallery tracklets, nearest first; as many as there are.
    correct : sequence of bool
        Whether each of them shows the probe's person.
    distances : sequence of float
        Distance of each of them, not decreasing.
    match_rank : int
        Rank (from 1) of the first true match in the whole gallery.
    match_distance : float
        Its distance.
    gallery_size : int, optional
        Number of tracklets in the gallery, for the words.
    match_picture : numpy.ndarray, optional
        A picture of the true match, drawn apart when it does not stand among the pictures shown.

    See Also
    --------
    ranked_probes : Draws some.
    rank_pictures : Makes them of rankings.

    Examples
    --------
    >>> import numpy as np
    >>> picture = np.zeros((128, 64, 3), np.uint8)
    >>> probe = RankedProbe("a/1", picture, [picture], [True], [0.3], 1, 0.3, gallery_size=40)
    >>> match_in_words(probe)
    'a/1\nmatch at rank 1 of 40\ndistance 0.300'
    """

    label: str
    picture: np.ndarray
    gallery: Sequence[np.ndarray]
    correct: Sequence[bool]
    distances: Sequence[float]
    match_rank: int
    match_distance: float
    gallery_size: int | None = None
    match_picture: np.ndarray | None = None


def ranked_probes(
    rows: Sequence[RankedProbe], *, shown: int = 8, title: str | None = None, facts: str = ""
) -> Figure:
    """Probes as picture rows: the probe left, then the nearest gallery tracklets.

    A green border and a tick mark the probe's person, a red-orange border and a cross anybody else.
    Under each picture stands its distance; right of the row, in words, where the true match is.

    Parameters
    ----------
    rows : sequence of RankedProbe
        Drawn from top to bottom; for a figure of failures put the worst first.
    shown : int
        Gallery pictures of a row at most; a smaller gallery gives a shorter row.
    title : str, optional
        Title of the figure.
    facts : str
        Second line of the title: how metric and probes were chosen.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Without rows, or for ``shown`` below 1.

    Notes
    -----
    As the paper's Fig 10, with the ranked gallery in place of the one wrong answer.
    """
    if not rows:
        raise ValueError("rows: expected at least one RankedProbe, got none.")
    require_at_least_one(shown, "gallery picture")
    columns = max(min(shown, len(row.gallery)) for row in rows)
    apart = any(_match_apart(row, shown) for row in rows)
    tall = _PICTURE * max(row.picture.shape[0] / row.picture.shape[1] for row in rows)
    height = tall + _BELOW
    top = (HEAD if title else 0) + MARGIN + _NAMES
    right = _left_of(columns, apart) + (_PICTURE + 2 * _GAP if apart else _GAP)
    longest = max(len(line) for row in rows for line in match_in_words(row).split("\n"))
    width = right + longest * _LETTER + MARGIN
    figure = picture_figure(width, top + len(rows) * height, title, facts)
    _write_heads(figure, top, columns, apart)
    for row in rows:
        _draw_row(figure, row, top, tall, shown, columns)
        write(figure, right, top + tall / 2, match_in_words(row), va="center", linespacing=1.5)
        top += height
    return figure


def rank_pictures(
    matches: pd.DataFrame, rankings: pd.DataFrame, pictures: TrackletPictures, shown: int = 8
) -> list[RankedProbe]:
    """Return probes with the head of their rankings.

    Parameters
    ----------
    matches : pandas.DataFrame
        The probes to draw: rows of :func:`wherewhen.reporting.tables.first_matches`.
    rankings : pandas.DataFrame
        Whole rankings of one trial, one kind of features and one metric.
    pictures : TrackletPictures
        Reads the frames; a tracklet's middle frame stands for it.
    shown : int
        Gallery pictures beside a probe.

    Returns
    -------
    list of RankedProbe
        In the order of `matches`.
    """
    rows = []
    for match in matches.itertuples():
        ranking = rankings[rankings.probe == match.probe].sort_values("rank")
        nearest = ranking.head(shown)
        rows.append(
            RankedProbe(
                label=match.probe,
                picture=pictures.middle(match.probe),
                gallery=[pictures.middle(tracklet) for tracklet in nearest.gallery],
                correct=nearest.correct.to_list(),
                distances=nearest.distance.to_list(),
                match_rank=match.rank,
                match_distance=match.distance,
                gallery_size=len(ranking),
                match_picture=pictures.middle(match.gallery),
            )
        )
    return rows


def match_in_words(row: RankedProbe) -> str:
    """Return name, rank and distance of the true match in three short lines."""
    of = f" of {row.gallery_size}" if row.gallery_size else ""
    lines = [row.label, f"match at rank {row.match_rank}{of}"]
    distance = f"distance {three_digits(row.match_distance)}"
    nearest = f"\n(nearest {three_digits(row.distances[0])})" if row.match_rank > 1 else ""
    return "\n".join([*lines, distance + nearest])


def _match_apart(row: RankedProbe, shown: int) -> bool:
    return row.match_picture is not None and row.match_rank > min(shown, len(row.gallery))


def _left_of(column: int, apart: bool = False) -> float:
    return MARGIN + _PICTURE + _APART + column * (_PICTURE + _GAP) + apart * (_APART - _GAP)


def _write_heads(figure: Figure, top: float, columns: int, apart: bool) -> None:
    heads = [(MARGIN, "probe"), (_left_of(0), "rank 1")]
    heads += [(_left_of(column), str(column + 1)) for column in range(1, columns)]
    heads += [(_left_of(columns, True), "true match")] if apart else []
    for left, words in heads:
        middle = left + _PICTURE / 2
        write(figure, middle, top - 0.06, words, va="bottom", ha="center", color=MUTED)


def _draw_row(
    figure: Figure, row: RankedProbe, top: float, tall: float, shown: int, columns: int
) -> None:
    show_picture(place(figure, MARGIN, top, _PICTURE, tall), row.picture, INK)
    answers = list(zip(row.gallery, row.correct, row.distances, strict=True))[:shown]
    for column, (picture, right, distance) in enumerate(answers):
        axes = place(figure, _left_of(column), top, _PICTURE, tall)
        draw_answer(axes, picture, bool(right), three_digits(distance))
    if _match_apart(row, shown):
        axes = place(figure, _left_of(columns, True), top, _PICTURE, tall)
        draw_answer(axes, row.match_picture, True, f"rank {row.match_rank}")


def draw_answer(axes: Axes, picture: np.ndarray, right: bool, words: str) -> None:
    """Draw a gallery picture, its border and its words green if it is right, else red-orange."""
    colour, mark = (RIGHT, "✓") if right else (WRONG, "✗")
    show_picture(axes, picture, colour)
    axes.set_xlabel(f"{mark} {words}", fontsize=SMALL, color=colour, labelpad=2)


def _draw(
    pictures: TrackletPictures,
    scores: pd.DataFrame,
    rankings: pd.DataFrame,
    probes: int,
    worst: bool,
) -> Figure:
    """Draw probes of a trial, ranked by the best metric of the run."""
    metric = best_metric(scores, rankings)
    judged = with_metric(rankings, metric)
    which = "Worst ranked" if worst else "Best ranked"
    return ranked_probes(
        rank_pictures(best_and_worst(judged, probes)[worst], judged, pictures),
        title=f"{which}, {describe('network', metric)}, {judged.trial.iloc[0]}",
        facts=best_in_words(scores, metric),
    )


_NEEDS = ("scores", "{trial}.rankings_network", "params:report.probes")

KINDS = (
    FigureKind(
        "best_ranked",
        "report",
        partial(_draw, worst=False),
        "Probes whose match is ranked best, beside the nearest of the gallery.",
        "Rows of frames: a probe, then the gallery by distance, the match framed green.",
        _NEEDS,
        people=True,
    ),
    FigureKind(
        "worst_ranked",
        "report",
        partial(_draw, worst=True),
        "Probes whose match is ranked worst, beside what was retrieved instead.",
        "Rows of frames: a probe, then the gallery by distance, wrong persons framed red-orange.",
        _NEEDS,
        people=True,
    ),
)
