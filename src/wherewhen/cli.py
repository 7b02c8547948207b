"""The project's commands (the Kedro side): Kedro's own, with errors that people can read.

Kedro finds the group ``cli`` here and puts it before its own commands.
"""

import copy
from collections.abc import Callable
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run

from wherewhen.commands import plain_errors, read_params
from wherewhen.experiments.cli import experiment


@click.group(name="wherewhen")
def cli() -> None:
    """Commands of wherewhen."""


@cli.command()
@click.option("--person", help="Remove this person; the name is the tables'.")
@click.option("--dataset", help="Remove this data set, or look for the person in it alone.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option(
    "--derived", is_flag=True, help="Also remove figures and networks that the person is in."
)
@plain_errors
def purge(person: str | None, dataset: str | None, dry_run: bool, derived: bool) -> None:
    """Remove a person's, or a data set's, cubes, embeddings and all else that was derived.

    Lists what was removed, and what can't be reached and is left to you.
    """
    from wherewhen.project import project_root
    from wherewhen.purge import Purge

    if person is None and dataset is None:
        raise click.UsageError("say whom or what: --person ID, --dataset NAME, or both")
    done = Purge(project_root(), dry_run, derived)
    if person is None:
        done.dataset(dataset)
    else:
        done.person(person, dataset)
    click.echo("would be removed:" if dry_run else "removed:")
    click.echo("\n".join(f"  {line}" for line in done.removed) or "  nothing")
    click.echo("left to you:")
    click.echo("\n".join(f"  {line}" for line in [*done.left, *ALWAYS_LEFT]))


ALWAYS_LEFT = ("backups, exported figures, notebooks with outputs, models that were given away",)


def with_callback(option: click.Parameter, callback: Callable[..., Any]) -> click.Parameter:
    """Copy an option, and let another function read its value."""
    other = copy.copy(option)
    other.callback = callback
    return other


run = copy.copy(kedro_run)
run.callback = plain_errors(kedro_run.callback)
run.params = [
    with_callback(option, read_params) if option.name == "params" else option
    for option in kedro_run.params
]
cli.add_command(run)
cli.add_command(experiment)
