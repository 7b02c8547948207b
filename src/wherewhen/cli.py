"""The project's commands (the Kedro side): Kedro's own, with errors that people can read.

Kedro finds the group ``cli`` here and puts it before its own commands.
"""

import copy
import functools
import os
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run

PACKAGE = Path(__file__).resolve().parent
SHOW_TRACEBACK = "WHEREWHEN_TRACEBACK"
"""Environment variable; with any value, errors come with the way to where they were raised."""


@click.group(name="wherewhen")
def cli() -> None:
    """Commands of wherewhen."""


def plain_errors(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command end with the message alone where the message says all that helps.

    That is the case for errors that this project raised on purpose: they name the file, row or
    parameter and what to do, and a page of calls would only bury them. Anything else is a bug, and
    keeps its traceback.

    Parameters
    ----------
    callback : callable
        What the command does.

    Returns
    -------
    callable
        The same, raising :class:`click.ClickException` for such errors.
    """

    @functools.wraps(callback)
    def run(*arguments: Any, **options: Any) -> Any:
        try:
            return callback(*arguments, **options)
        except click.ClickException:
            raise  # a message already
        except Exception as error:
            ours = next(filter(raised_here, chain(error)), None)
            if ours is None or os.environ.get(SHOW_TRACEBACK):
                raise
            raise click.ClickException(f"{ours}\n(traceback: set {SHOW_TRACEBACK}=1)") from None

    return run


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what caused it, the first cause last."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def raised_here(error: BaseException) -> bool:
    """Tell whether an error was raised by a ``raise`` in this package."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return False
    return PACKAGE in Path(frames[-1].filename).resolve().parents and (
        frames[-1].line or ""
    ).startswith("raise")


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


def split_items(text: str) -> list[str]:
    """Split at the commas that stand outside brackets: those inside belong to a value.

    Parameters
    ----------
    text : str
        E.g. ``a=1,b=[2,3],c={d: 4, e: 5}``.

    Returns
    -------
    list of str
        Here ``a=1``, ``b=[2,3]`` and ``c={d: 4, e: 5}``.
    """
    items, depth = [""], 0
    for character in text:
        depth += (character in "[{") - (character in "]}")
        if character == "," and depth <= 0:
            items.append("")
        else:
            items[-1] += character
    return [item.strip() for item in items if item.strip()]


def read_params(context: click.Context, option: click.Parameter, value: Any) -> Any:
    """Read ``--params`` as Kedro does, but lists and mappings may have more than one entry."""
    from omegaconf import OmegaConf

    if isinstance(value, dict):  # Kedro's, from a file of options
        return value
    items = split_items(value)
    for item in items:
        if not item.partition("=")[0].strip() or "=" not in item:
            raise click.BadParameter(f"`{item}`: expected NAME=VALUE", context, option)
    return OmegaConf.to_container(OmegaConf.from_dotlist(items))


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
