"""The commands ``kedro search ...`` (the Kedro side).

Imports wait until a command runs: ``kedro run`` reads this module, too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import click

from wherewhen.commands import plain_errors, read_params

if TYPE_CHECKING:
    from wherewhen.galleries.boxes import People

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


footage = click.option(
    "--gallery",
    "footage",
    required=True,
    multiple=True,
    metavar="FOOTAGE",
    help="A folder of crops, a manifest, a video or a sequence; may be given again.",
)


def people(command: Command) -> Command:
    """Add the options that say how people in videos are found, as one argument `people`."""

    @functools.wraps(command)
    def run(boxes: str | None, detector: str | None, weights: str | None, **given: Any) -> None:
        from wherewhen.galleries.boxes import People

        command(people=People(boxes, detector, weights), **given)

    for option in (
        click.option(
            "--weights",
            metavar="FILE",
            help="The detector's weights; without it, torchvision downloads them.",
        ),
        click.option(
            "--detector",
            metavar="NAME",
            help="Look for people in videos with this detector of torchvision.",
        ),
        click.option(
            "--boxes",
            metavar="PLACE",
            help="Boxes in videos: a file in MOTChallenge's format, or a folder with NAME.txt.",
        ),
    ):
        run = option(run)
    return run


@search.command()
@footage
@people
@click.option("--reader", help="The layout, if not as it looks (docs/reference/datasets.md).")
@environment
@params
@plain_errors
def index(
    footage: tuple[str, ...],
    reader: str | None,
    people: People,
    env: str | None,
    params: dict[str, Any],
) -> None:
    """Make a gallery of footage: embed all its tracklets, so that they can be searched.

    Without --env, an environment is made that bears the name of the first folder or video.
    """
    from wherewhen.galleries.galleries import make

    name, made = make(env, footage, reader, people, params)
    click.echo(f"{len(made)} tracklets. Search them: kedro search query PROBE --env {name}")


@search.command()
@footage
@people
@environment
@params
@plain_errors
def add(footage: tuple[str, ...], people: People, env: str | None, params: dict[str, Any]) -> None:
    """Add the tracklets of more footage to a gallery; none of its names may be there already."""
    from wherewhen.galleries.galleries import extend

    click.echo(f"{len(extend(env, footage, people, params))} tracklets added")


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

    Tables, cubes, marks and answers that have them go, and the gallery's files are searched for
    them. Frames stay where they are: as long as they are there, the next index has them again.
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


@search.command()
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Another one opens it to others."
)
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(1, 65535), help="Its port."
)
@environment
@params
@plain_errors
def page(host: str, port: int, env: str | None, params: dict[str, Any]) -> None:
    """Look at a gallery in the browser: choose a probe, see the nearest tracklets play, mark them.

    It is served to this machine alone, until Ctrl-C. With another --host, whoever reaches the port
    sees the footage.
    """
    from wherewhen.galleries.page.serving import show

    show(env, params, host, port)
