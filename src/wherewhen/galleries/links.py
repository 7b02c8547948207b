"""Tracklets of a gallery linked into persons: as a table, as a sheet of pictures, in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import pandas as pd

from wherewhen.atomic import replacing
from wherewhen.galleries.answers import given, meaning, recogniser_of, warning
from wherewhen.galleries.galleries import answers_home, opened
from wherewhen.galleries.records import read_beside, record_of, write_beside
from wherewhen.galleries.spreadsheets import shielded_table, unshielded
from wherewhen.project import to_root
from wherewhen.sessions import View

if TYPE_CHECKING:
    from wherewhen.recogniser.gallery import Gallery, Linked

PERSONS = "persons.csv"
"""Among the reports on a gallery."""

DRAWN, ACROSS = 20, 10
"""Groups of the sheet, and tracklets of each, that are drawn at most."""


class Written(NamedTuple):
    """Linked tracklets, and the files that have them."""

    linked: Linked
    difference: float
    """How far the gallery's footage is from that of the training."""
    files: list[Path]


def link(
    env: str | None, rate: float, filters: Mapping[str, Any], params: Mapping[str, Any]
) -> Written:
    """Link the tracklets of a gallery; write table and pictures of the groups, and a record."""
    view = View.of(env, params)
    gallery = opened(view)
    recogniser = recogniser_of(view)
    linked = gallery.link(recogniser, rate, **filters)
    files = _write(gallery, linked, recogniser.metric, answers_home(view))
    asked = {
        "false_match_rate": linked.false_match_rate,
        "threshold": linked.threshold,
        "filters": given(filters),
    }
    record = write_beside(files[0], record_of(view, gallery, recogniser, asked))
    return Written(linked, gallery.difference, [*files, record])


def print_links(written: Written) -> None:
    """Print how many persons there are, how sure that is, and where they are."""
    linked = written.linked
    groups = linked.groups.drop_duplicates("group")
    several = int((groups["size"] > 1).sum())
    click.echo(
        f"{len(linked.groups)} tracklets, {len(groups)} groups: {several} of several tracklets, "
        f"the largest of {groups['size'].max()}; {_constraint(linked)}"
    )
    if linked.scores is not None:
        scores = (f"{name} {100 * value:.1f} %" for name, value in linked.scores.items())
        click.echo(f"against the persons of the gallery: {', '.join(scores)}")
    meant = meaning(linked.threshold, linked.false_match_rate)
    click.echo(f"all pairs of a group are nearer than the {meant}")
    if warned := warning(written.difference):
        click.echo(warned)
    for path in written.files:
        click.echo(to_root(path))


def groups_of(gallery: Gallery, folder: Path) -> pd.Series | None:
    """Return the group of each tracklet, by its name, as a folder of reports has them.

    None if they were not linked since the gallery last changed.
    """
    table = folder / PERSONS
    record = read_beside(table)  # by content: clocks can be set back
    if record is None or record["gallery"]["state"] != gallery.index.state:
        return None
    # a tracklet may be called NA
    columns = {"tracklet": str, "group": int}
    linked = pd.read_csv(table, usecols=list(columns), dtype=columns, keep_default_na=False)
    return linked.assign(tracklet=linked.tracklet.map(unshielded)).set_index("tracklet")["group"]


def _constraint(linked: Linked) -> str:
    if linked.groups.start.isna().all():
        return "no tracklet has a time, so people who were seen together can be in one group"
    return f"{linked.apart} pairs of one camera and time were kept apart"


def _write(gallery: Gallery, linked: Linked, metric: str, folder: Path) -> list[Path]:
    """Write the groups as a table and, if one has several tracklets, as a sheet of pictures."""
    from wherewhen.reporting.figures.canvas import save_figure
    from wherewhen.reporting.figures.groups import Group, group_sheet

    table = folder / PERSONS
    with replacing(table) as partial:
        shielded_table(linked.groups).to_csv(partial, index=False)
    several = linked.groups[linked.groups["size"] > 1]
    drawn = several[several.group <= DRAWN].groupby("group")
    groups = [
        Group(
            _title(number, rows),
            rows.tracklet.iloc[:ACROSS].to_list(),
            [gallery.picture_of(name) for name in rows.tracklet.iloc[:ACROSS]],
        )
        for number, rows in drawn
    ]
    if not groups:
        return [table]
    figure = group_sheet(
        groups,
        title="Tracklets that are taken for one person each",
        facts=f"by {metric}, {100 * linked.false_match_rate:g} % false matches; "
        f"the largest {len(groups)} of {several.group.nunique()} groups of several tracklets",
    )
    return [table, *save_figure(figure, table.with_suffix(".png"))]


def _title(number: int, rows: pd.DataFrame) -> str:
    from wherewhen.reporting.figures.canvas import three_digits

    mean = rows.distance.iloc[0]
    shown = f", {ACROSS} of them shown" if len(rows) > ACROSS else ""
    return f"{number}: {len(rows)} tracklets, mean distance {three_digits(mean)}{shown}"
