"""The commands ``kedro search ...`` (the Kedro side).

Imports wait until a command runs: ``kedro run`` reads this module, too.
"""

from __future__ import annotations

from typing import Any

import click

from wherewhen.commands import plain_errors, read_params

environment = click.option(
    "--env", "-e", envvar="KEDRO_ENV", help="The environment whose gallery it is."
)
params = click.option("--params", default="", callback=read_params, help="As given to the run.")


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
@click.option("--top", default=10, show_default=True, type=click.IntRange(1), help="Ranks.")
@click.option("--camera", "cameras", multiple=True, help="Only this camera; may be given again.")
@click.option("--not-camera", "not_cameras", multiple=True, help="Not this camera; likewise.")
@click.option("--person", "persons", multiple=True, help="Only this person; likewise.")
@click.option("--after", type=float, metavar="SECONDS", help="Only who was seen after this time.")
@click.option("--before", type=float, metavar="SECONDS", help="Only who was seen before this time.")
@click.option(
    "--false-match-rate",
    "rate",
    default=0.01,
    show_default=True,
    type=float,
    help="How many pairs of two persons may be taken for one: 0.1, 0.01, 0.001.",
)
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
    given = {name: value or None for name, value in filters.items()}
    print_answer(ask(env, probe, top, rate, given, params))


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
