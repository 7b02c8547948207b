"""What all commands share (the Kedro side): errors that people can read, and ``--params``."""

import functools
import os
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

PACKAGE = Path(__file__).resolve().parent
SHOW_TRACEBACK = "WHEREWHEN_TRACEBACK"
"""Environment variable; with any value, errors come with the way to where they were raised."""


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
            ours = on_purpose(error)
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


def on_purpose(error: BaseException) -> BaseException | None:
    """Return what this package raised on purpose behind an error; None if it is a bug."""
    return next(filter(raised_here, chain(error)), None)


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
