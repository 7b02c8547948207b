"""Answers of a gallery: as a table, as a sheet of pictures, in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

from wherewhen.atomic import replacing
from wherewhen.galleries.galleries import SearchError, opened
from wherewhen.project import from_root, project_root, to_root
from wherewhen.recogniser import Recogniser
from wherewhen.recogniser.gallery import Answer, Gallery
from wherewhen.recogniser.recogniser import UNLIKE
from wherewhen.sessions import View

ANSWERS = "data/08_reporting"
"""Under it, the folder of the data set has a folder `search` of answers."""


class Written(NamedTuple):
    """An answer, and the files that have it."""

    answer: Answer
    difference: float
    """How far the gallery's footage is from that of the training."""
    files: list[Path]


def ask(
    env: str | None,
    probe: str,
    top: int,
    rate: float,
    filters: Mapping[str, Any],
    params: Mapping[str, Any],
) -> Written:
    """Search a gallery, and write table and pictures of the answer.

    Raises
    ------
    SearchError
        If the probe is neither a tracklet of the gallery nor a folder or picture.
    """
    gallery, view = opened(env), View.of(env, params)
    asked = probe if gallery.holds(probe) else from_root(probe)
    if isinstance(asked, Path) and not asked.exists():
        raise SearchError(
            f"{probe} is neither a tracklet of the gallery nor a folder of crops or a picture"
        )
    parameters = view.parameters.search
    recogniser = Recogniser.from_pretrained(from_root(parameters.folder), parameters.metric)
    answer = gallery.query(recogniser, asked, top, rate, **filters)
    folder = project_root() / ANSWERS / view.dataset / "search"
    files = _write(gallery, asked, answer, recogniser.metric, folder)
    return Written(answer, gallery.difference, files)


def print_answer(written: Written) -> None:
    """Print an answer as a table, what it means, and where it is."""
    found, at, rate, difference = *written.answer, written.difference
    for row in found.itertuples():
        mark = "match" if row.match else ""
        click.echo(
            f"{row.rank:>4}  {row.distance:<8.4g}{100 * row.probability:4.0f} %  {mark:<6} "
            f"{row.tracklet}"
        )
    verdict = "nobody here is taken" if written.answer.nobody else "matches are taken"
    click.echo(
        f"{verdict} for the same person: threshold {at:.4g}, at which {100 * rate:g} % of the "
        "pairs of two persons are wrongly taken for one, on the people that the model was "
        "calibrated on"
    )
    if difference > UNLIKE:
        click.echo(
            f"This footage is unlike what the model learned from (difference {difference:.1f}, "
            f"expected at most {UNLIKE:g}): probabilities and threshold were calibrated on other "
            "footage, and do not hold here"
        )
    for path in written.files:
        click.echo(to_root(path))


def _write(gallery: Gallery, probe: Any, answer: Answer, metric: str, folder: Path) -> list[Path]:
    """Write the answer as a table and as a sheet of pictures."""
    from wherewhen.recogniser import frames_in
    from wherewhen.reporting.figures.answer import Found, answer_sheet
    from wherewhen.reporting.figures.canvas import save_figure

    folder.mkdir(parents=True, exist_ok=True)
    elsewhere = isinstance(probe, Path)  # else a tracklet of the gallery
    asked = to_root(probe) if elsewhere else probe
    table = folder / f"{re.sub('[^A-Za-z0-9_-]+', '_', asked)[-80:].strip('_')}.csv"
    with replacing(table) as partial:
        answer.found.to_csv(partial, index=False)
    if elsewhere:
        frames = frames_in(probe)
        picture = frames[len(frames) // 2]
    else:
        picture = gallery.picture_of(probe)
    found = [
        Found(
            row.tracklet, row.distance, row.probability, row.match, gallery.picture_of(row.tracklet)
        )
        for row in answer.found.itertuples()
    ]
    figure = answer_sheet(
        picture,
        found,
        title=f"Nearest to {asked[-60:]}",
        facts=f"by {metric}; blue: below the threshold {answer.threshold:.3g} of "
        f"{100 * answer.false_match_rate:g} % false matches",
    )
    return [table, *save_figure(figure, table.with_suffix(".png"))]
