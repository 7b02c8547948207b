"""Contact sheets: an HTML page of the tracklets of a gallery, or of the answer to a probe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from wherewhen.atomic import replacing
from wherewhen.galleries.answers import (
    file_name,
    probe_of,
    question_of,
    recogniser_of,
    title_of,
    verdict,
    warning,
)
from wherewhen.galleries.galleries import SearchError, answers_home, opened
from wherewhen.galleries.links import groups_of
from wherewhen.galleries.records import in_words, record_of
from wherewhen.recogniser import frames_in
from wherewhen.reporting.contact_sheet import Frame, Section, Sheet, Tracklet, render, thumbnail
from wherewhen.reporting.figures.canvas import shown_frames, three_digits
from wherewhen.sessions import View

if TYPE_CHECKING:
    from wherewhen.recogniser.gallery import Answer, Gallery

MOST = 400
"""Tracklets of a sheet: some 5 MB."""

FRAMES = 4
"""Frames of a tracklet, the middle ones of equal parts."""


def show(
    env: str | None,
    probe: str | None,
    by: Literal["camera", "person"] | None,
    top: int,
    rate: float,
    filters: Mapping[str, Any],
    params: Mapping[str, Any],
) -> Path:
    """Write a contact sheet of a gallery, or of the answer to a probe.

    Parameters
    ----------
    env, probe, top, rate, filters, params
        See `wherewhen.galleries.answers.ask`; without a probe all tracklets are shown that the
        filters choose, `MOST` at most.
    by : {"camera", "person"}, optional
        What tracklets are grouped by without a probe; None: by person where they were linked.

    Returns
    -------
    Path
        The HTML file.

    Raises
    ------
    SearchError
        If the probe is neither a tracklet of the gallery nor a folder or picture; if tracklets are
        to be shown by person, and were not linked since the gallery last changed.
    """
    view = View.of(env, params)
    gallery = opened(view)
    groups = groups_of(gallery, answers_home(view))
    if probe is not None:
        asked = probe_of(gallery, probe)
        recogniser = recogniser_of(view)
        answer = gallery.query(recogniser, asked, top, rate, **filters)
        record = record_of(view, gallery, recogniser, question_of(asked, top, answer, filters))
        name, sheet = file_name(asked), _of_answer(gallery, asked, answer, groups, record)
    else:
        if by == "person" and groups is None:
            raise SearchError(
                "the tracklets were not linked, or the gallery has changed since: link them "
                f"first, kedro search link{f' --env {env}' if env else ''}"
            )
        by_person = groups is not None and by != "camera"
        chosen = gallery.index.select(**filters)
        name, sheet = "gallery", _of_gallery(gallery, chosen, groups, by_person)
    path = answers_home(view) / f"{name}.html"
    with replacing(path) as partial:
        partial.write_text(render(sheet), encoding="utf-8")
    return path


def _of_gallery(
    gallery: Gallery, chosen: pd.DataFrame, groups: pd.Series | None, by_person: bool
) -> Sheet:
    place, title = _persons(chosen, groups) if by_person else _cameras(chosen)
    rows = chosen.assign(place=place, title=title)
    rows = rows.sort_values(["place", "camera", "start", "tracklet"])
    sizes, shown = rows.title.value_counts(), rows.iloc[:MOST]
    notes = [f"Tracklets: {len(rows)}. Cameras: {rows.camera.nunique()}."]
    if len(shown) < len(rows):
        notes.append(
            f"The first {len(shown)} are shown; --camera, --person, --after and --before choose "
            "others."
        )
    if by_person:
        notes.append("Tracklets that kedro search link takes for one person are together.")
    said = None if by_person else groups  # the headings say it
    sections = [
        Section(
            f"{title} ({sizes[title]})",
            [_tracklet(gallery, row, said) for row in part.itertuples()],
        )
        for title, part in shown.groupby("title", sort=False)
    ]
    return Sheet("Gallery", notes, warning(gallery.difference), sections)


def _cameras(chosen: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return what tracklets are sorted by, and the title that each stands under."""
    return chosen.camera, "Camera " + chosen.camera


def _persons(chosen: pd.DataFrame, groups: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return the same of groups: those of several first, then who is alone or was not linked."""
    number = chosen.tracklet.map(groups)
    alone = number.map(groups.value_counts()) == 1
    title = "Person " + number.astype("Int64").astype(str)
    title = title.mask(alone, "Alone").mask(number.isna(), "Not linked")
    return number.mask(alone, np.inf), title


def _of_answer(
    gallery: Gallery,
    probe: str | Path,
    answer: Answer,
    groups: pd.Series | None,
    record: Mapping[str, Any],
) -> Sheet:
    if isinstance(probe, Path):
        asked = Tracklet(title_of(probe), [], _frames(frames_in(probe)))
    else:
        table = gallery.index.tracklets
        [row] = table[table.tracklet == probe].itertuples()
        asked = _tracklet(gallery, row, groups)
    found = [
        _tracklet(
            gallery,
            row,
            groups,
            [
                f"rank {row.rank}: distance {three_digits(row.distance)}, "
                f"{100 * row.probability:.0f} % probable"
            ],
            row.match,
        )
        for row in answer.found.itertuples()
    ]
    said = verdict(answer)
    return Sheet(
        f"Nearest to {title_of(probe)}",
        [f"{said[0].upper()}{said[1:]}.", in_words(record)],
        warning(gallery.difference),
        [Section("Probe", [asked]), Section(f"Nearest ({len(found)})", found)],
    )


def _tracklet(
    gallery: Gallery,
    row: Any,
    groups: pd.Series | None,
    facts: Sequence[str] = (),
    match: bool = False,
) -> Tracklet:
    """Return a tracklet of a table's row: its frames, and what is known of it."""
    known = [*facts, f"camera {row.camera}"]
    if row.person != row.tracklet:  # else nobody has named the person
        known.append(f"named {row.person}")
    if not np.isnan(row.start):
        known.append(f"{row.start:.1f} to {row.end:.1f} s")
    if groups is not None and row.tracklet in groups.index:
        known.append(f"linked as person {groups[row.tracklet]}")
    return Tracklet(row.tracklet, known, _frames(gallery.frames_of(row.tracklet)), bool(match))


def _frames(frames: Sequence[Any]) -> list[Frame]:
    """Return some frames, of pictures or of paths; without those that are gone."""
    chosen = [(number, frames[number]) for number in shown_frames(len(frames), FRAMES)]
    return [
        Frame(
            thumbnail(frames_in(each)[0] if isinstance(each, Path) else each),
            f"frame {number + 1} of {len(frames)}",
        )
        for number, each in chosen
        if not isinstance(each, Path) or each.exists()
    ]
