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


run = copy.copy(kedro_run)
run.callback = plain_errors(kedro_run.callback)
cli.add_command(run)
