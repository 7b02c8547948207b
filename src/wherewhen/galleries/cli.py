"""The commands ``kedro search ...`` (the Kedro side).

Imports wait until a command runs: ``kedro run`` reads this module, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import click

from wherewhen.commands import plain_errors, read_params

Command = Callable[..., Any]

environment = click.option(
    "--env", "-e", envvar="KEDRO_ENV", help="The environment whose gallery it is."
)
params = click.option("--params", default="", callback=read_params, help="As given to the run.")
top = click.option("--top", default=10, show_default=True, type=click.IntRange(1), help="Ranks.")


def rate(default: float) -> Callable[[Command], Command]:
    """Make the option that decides a threshold."""
    return click.option(
        "--false-match-rate",
        "rate",
        default=default,
        show_default=True,
        type=float,
        help="How many pairs of two persons may be taken for one: 0.1, 0.01, 0.001.",
    )


def filters(command: Command) -> Command:
    """Let a command take part of a gallery, by arguments of `wherewhen.search.Index.search`.

    What was not given is None.
    """
    several = {"multiple": True, "callback": lambda _context, _option, value: value or None}
    time = {"type": float, "metavar": "SECONDS"}
    for option in (
        click.option("--before", help="Only who was seen before this time.", **time),
        click.option("--after", help="Only who was seen after this time.", **time),
        click.option("--person", "persons", help="Only this person; likewise.", **several),
        click.option("--not-camera", "not_cameras", help="Not this camera; likewise.", **several),
        click.option(
            "--camera", "cameras", help="Only this camera; may be given again.", **several
        ),
    ):
        command = option(command)
    return command


@click.group()
def search() -> None:
    """Find people in footage of your own, with a finished model and without any training."""


@search.command()
@click.option("--gallery", required=True, metavar="FOLDER", help="Crops, or a manifest's folder.")
@click.option("--reader", help="The layout, if not as it looks (docs/reference/datasets.md).")
@environment
@params
@plain_errors
def index(gallery: str, reader: str | None, env: str | None, params: dict[str, Any]) -> None:
    """Make a gallery of footage: embed all its tracklets, so that they can be searched.

    Without --env, an environment is made that bears the folder's name.
    """
    from wherewhen.galleries.galleries import make

    name, made = make(env, gallery, reader, params)
    click.echo(f"{len(made)} tracklets. Search them: kedro search query PROBE --env {name}")


@search.command()
@click.option("--gallery", required=True, metavar="FOLDER", help="More footage, of one layout.")
@environment
@params
@plain_errors
def add(gallery: str, env: str | None, params: dict[str, Any]) -> None:
    """Add the tracklets of more footage to a gallery; none of its names may be there already."""
    from wherewhen.galleries.galleries import extend

    click.echo(f"{len(extend(env, gallery, params))} tracklets added")


@search.command()
@click.argument("probe")
@click.option(
    "--gallery", metavar="FOLDER", help="Search this footage; it is indexed first if it was not."
)
@top
@filters
@rate(0.01)
@environment
@params
@plain_errors
def query(
    probe: str,
    gallery: str | None,
    top: int,
    rate: float,
    env: str | None,
    params: dict[str, Any],
    **filters: Any,
) -> None:
    """Rank the tracklets of a gallery by how alike they are to PROBE.

    PROBE is the name of a tracklet of the gallery, a folder of crops of one person, or a picture.
    A sheet of pictures and a table are written, and their places printed.
    """
    from wherewhen.galleries.answers import ask, print_answer
    from wherewhen.galleries.galleries import found_or_made

    if gallery is not None:
        env = found_or_made(env, gallery, params)
    print_answer(ask(env, probe, top, rate, filters, params))


@search.command()
@filters
@rate(0.1)
@environment
@params
@plain_errors
def link(rate: float, env: str | None, params: dict[str, Any], **filters: Any) -> None:
    """Group the tracklets of a gallery into persons.

    Two tracklets of one camera at one time are two persons; times are known where
    search.frames_per_second was given. A table and a sheet of pictures are written. Where the
    gallery knows who is who, the groups are scored.
    """
    from wherewhen.galleries import links

    links.print_links(links.link(env, rate, filters, params))


@search.command()
@click.argument("probe", required=False)
@click.option(
    "--by",
    type=click.Choice(["camera", "person"]),
    help="Without PROBE: what tracklets stand under; person where they are linked.",
)
@top
@filters
@rate(0.01)
@environment
@params
@plain_errors
def show(
    probe: str | None,
    by: Literal["camera", "person"] | None,
    top: int,
    rate: float,
    env: str | None,
    params: dict[str, Any],
    **filters: Any,
) -> None:
    """Write a contact sheet as one HTML page: of a gallery, or of the answer to PROBE.

    PROBE, ranks and matches are those of kedro search query.
    """
    from wherewhen.galleries import sheets
    from wherewhen.project import to_root

    click.echo(to_root(sheets.show(env, probe, by, top, rate, filters, params)))


@search.command()
@click.option("--person", "persons", multiple=True, help="All tracklets of this person.")
@click.option("--tracklet", "tracklets", multiple=True, help="This tracklet.")
@environment
@plain_errors
def remove(persons: tuple[str, ...], tracklets: tuple[str, ...], env: str | None) -> None:
    """Remove persons or tracklets from a gallery, and from all that was made for it.

    Tables, cubes and answers that have them go, and the gallery's files are searched for them.
    Frames stay where they are: as long as they are there, the next index has them again.
    """
    from wherewhen.galleries import galleries

    if not persons and not tracklets:
        raise click.UsageError("say whom or what: --person NAME, --tracklet NAME")
    removed = galleries.remove(env, persons or None, tracklets or None)
    click.echo(
        f"{len(removed.tracklets)} tracklets removed; no file of the gallery has them any more"
    )
    for title, lines in (("also removed", removed.files), ("left to you", removed.left)):
        click.echo("\n".join([f"{title}:", *(f"  {line}" for line in lines or ["nothing"])]))
