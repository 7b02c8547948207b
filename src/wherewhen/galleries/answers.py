"""Answers of a gallery: as a table, as a sheet of pictures, in words."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

from wherewhen.atomic import replacing
from wherewhen.galleries.galleries import SearchError, answers_home, opened
from wherewhen.galleries.records import record_of, write_beside
from wherewhen.galleries.spreadsheets import shielded_table
from wherewhen.lineage.content import content_of
from wherewhen.project import from_root, to_root
from wherewhen.recogniser import Recogniser
from wherewhen.recogniser.gallery import Answer, Gallery
from wherewhen.recogniser.recogniser import UNLIKE
from wherewhen.sessions import View
from wherewhen.tracklets.names import DEVICES

OTHER_FILES = frozenset({"persons", "gallery", "marks"})
"""Names of what lies beside the answers: see `wherewhen.galleries.links`, `.sheets`, `.marks`."""


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
    """Search a gallery; write table and pictures of the answer, and a record of it.

    Raises
    ------
    SearchError
        If the probe is neither a tracklet of the gallery nor a folder or picture.
    """
    view = View.of(env, params)
    gallery = opened(view)
    asked = probe_of(gallery, probe)
    recogniser = recogniser_of(view)
    answer = gallery.query(recogniser, asked, top, rate, **filters)
    files = _write(gallery, asked, answer, recogniser.metric, answers_home(view))
    record = record_of(view, gallery, recogniser, question_of(asked, top, answer, filters))
    return Written(answer, gallery.difference, [*files, write_beside(files[0], record)])


def question_of(
    probe: str | Path, top: int, answer: Answer, filters: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what was asked, as plain values for the record of an answer."""
    return {
        "probe": title_of(probe),
        "probe_content": content_of(probe) if isinstance(probe, Path) else None,
        "top": top,
        "false_match_rate": answer.false_match_rate,
        "threshold": answer.threshold,
        "filters": given(filters),
    }


def given(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the filters that were given."""
    return {name: value for name, value in filters.items() if value is not None}


def probe_of(gallery: Gallery, name: str) -> str | Path:
    """Return a tracklet of the gallery by its name, or the place of frames from elsewhere.

    Raises
    ------
    SearchError
        If it is neither.
    """
    if gallery.holds(name):
        return name
    place = from_root(name)
    if not place.exists():
        raise SearchError(
            f"{name} is neither a tracklet of the gallery nor a folder of crops or a picture"
        )
    return place


def title_of(probe: str | Path) -> str:
    """Return what a probe is called: its name, or its path from the project's root."""
    return to_root(probe) if isinstance(probe, Path) else probe


def file_name(probe: str | Path) -> str:
    """Return the name, without suffix, of the files that answer a probe.

    Letters, digits, ``_`` and ``-`` stay, and ``/`` becomes ``_``. Where more has to be changed, or
    the name is that of another file, a hash of the whole name stands behind it.

    Examples
    --------
    >>> file_name("cam_a/anna"), file_name("persons"), file_name("../anna")
    ('cam_a_anna', 'persons-d39245fa', 'anna-ec02c724')
    """
    title = title_of(probe)
    name = re.sub("[^A-Za-z0-9_-]+", "_", title)[-80:].strip("_")
    if name == title.replace("/", "_") and name.lower() not in OTHER_FILES | DEVICES:
        return name
    digest = hashlib.sha256(title.encode(errors="surrogatepass")).hexdigest()
    return f"{name or 'probe'}-{digest[:8]}"


def recogniser_of(view: View) -> Recogniser:
    """Return the model that a view's parameters name."""
    parameters = view.parameters.search
    return Recogniser.from_pretrained(parameters.model, parameters.metric, view.parameters.device)


def verdict(answer: Answer) -> str:
    """Say whether anybody is taken for the probe's person, and what the threshold means."""
    taken = "nobody here is taken" if answer.nobody else "matches are taken"
    meant = meaning(answer.threshold, answer.false_match_rate)
    return f"{taken} for the same person: {meant}"


def meaning(threshold: float, rate: float) -> str:
    """Say what a threshold is."""
    return (
        f"threshold {threshold:.4g}, at which {100 * rate:g} % of the pairs of two persons are "
        "wrongly taken for one, on the people that the model was calibrated on"
    )


def warning(difference: float) -> str | None:
    """Warn of footage that is unlike the training's; None for footage that is like it."""
    if difference <= UNLIKE:
        return None
    return (
        f"This footage is unlike what the model learned from (difference {difference:.1f}, "
        f"expected at most {UNLIKE:g}): probabilities and threshold were calibrated on other "
        "footage, and do not hold here"
    )


def print_answer(written: Written) -> None:
    """Print an answer as a table, what it means, and where it is."""
    for row in written.answer.found.itertuples():
        mark = "match" if row.match else ""
        click.echo(
            f"{row.rank:>4}  {row.distance:<8.4g}{100 * row.probability:4.0f} %  {mark:<6} "
            f"{row.tracklet}"
        )
    click.echo(verdict(written.answer))
    if warned := warning(written.difference):
        click.echo(warned)
    for path in written.files:
        click.echo(to_root(path))


def _write(
    gallery: Gallery, probe: str | Path, answer: Answer, metric: str, folder: Path
) -> list[Path]:
    """Write the answer as a table and as a sheet of pictures."""
    from wherewhen.recogniser import frames_in
    from wherewhen.reporting.figures.answer import Found, answer_sheet
    from wherewhen.reporting.figures.canvas import save_figure

    table = folder / f"{file_name(probe)}.csv"
    with replacing(table) as partial:
        shielded_table(answer.found).to_csv(partial, index=False)
    if isinstance(probe, Path):
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
        title=f"Nearest to {title_of(probe)[-60:]}",
        facts=f"by {metric}; blue: below the threshold {answer.threshold:.3g} of "
        f"{100 * answer.false_match_rate:g} % false matches",
    )
    return [table, *save_figure(figure, table.with_suffix(".png"))]
