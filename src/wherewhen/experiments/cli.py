"""The commands ``kedro experiment ...`` (the Kedro side).

Imports wait until a command runs: ``kedro run`` reads this module, too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from wherewhen.commands import plain_errors, read_params


@click.group()
def experiment() -> None:
    """Run the paper's tables, or tables of your own, and read them beside the published figures."""


def options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command some of the options that experiments share, and errors without a traceback.

    Parameters
    ----------
    *names : {"env", "params", "trained_on", "rows", "trials"}
        Which, in the order of the help.
    """

    def decorate(callback: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(names):
            callback = OPTIONS[name](callback)
        return plain_errors(callback)

    return decorate


OPTIONS: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "env": click.option(
        "--env", "-e", envvar="KEDRO_ENV", help="The environment: a data set's, in conf/."
    ),
    "params": click.option(
        "--params",
        default="",
        callback=read_params,
        help="Parameters for all rows, NAME=VALUE,...: they win over the rows' own.",
    ),
    "trained_on": click.option(
        "--trained-on", metavar="ENV", help="Train in this environment, test in --env."
    ),
    "rows": click.option(
        "--rows", "-r", multiple=True, metavar="ROW", help="This row alone; may be given again."
    ),
    "trials": click.option(
        "--trials", type=click.IntRange(1), help="The first so many, not all of them."
    ),
}


@experiment.command("list")
@options("env")
def list_experiments(env: str | None) -> None:
    """Say which experiments there are, and their rows."""
    from wherewhen.experiments.config import load_experiments

    for name, found in load_experiments(env).items():
        paper = f" (table {found.table})" if found.table else ""
        click.echo(f"{name}{paper}: {found.title}")
        for row in found.rows:
            click.echo(f"  {row.name}{' (quoted)' if row.quoted else ''}")


@experiment.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@options("env", "trials", "rows", "params", "trained_on")
def run(names: tuple[str, ...], **request: Any) -> None:
    """Run what is not finished of experiments, all rows over all trials.

    A row that fails does not stop the others; what failed is named at the end.
    """
    from wherewhen.experiments.engine import run_rows
    from wherewhen.experiments.rows import Request, resolve

    asked = Request(**request)
    resolved = [resolve(each, asked) for each in chosen(names, asked.env)]
    failures = [failure for rows in resolved for failure in run_rows(rows)]
    if failures:
        raise click.ClickException(
            f"{len(failures)} failed, all else is done:\n"
            + "\n".join(f"- {failure}" for failure in failures)
        )


@experiment.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@options("env", "rows", "params", "trained_on")
def show(names: tuple[str, ...], **request: Any) -> None:
    """Print the tables of experiments, and log them to MLflow as CSV and Markdown."""
    from wherewhen.experiments.rows import Request
    from wherewhen.experiments.tables import show as show_table

    asked = Request(**request)
    for each in chosen(names, asked.env):
        show_table(each, asked)


@experiment.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@options("env", "params", "trained_on")
def figures(names: tuple[str, ...], **request: Any) -> None:
    """Draw the figures of finished experiments, with the tables behind them, also into MLflow.

    What is drawn is the experiment's `figure`; CMC curves of all rows where it has none.
    """
    from wherewhen.experiments.figures import make_figures
    from wherewhen.experiments.rows import Request
    from wherewhen.project import to_root

    asked = Request(**request)
    for each in chosen(names, asked.env):
        for path in make_figures(each, asked):
            click.echo(to_root(path))


def chosen(names: tuple[str, ...], env: str | None) -> list[Any]:
    """Return experiments of an environment by their names."""
    from wherewhen.experiments.config import choose, load_experiments

    known = load_experiments(env)
    return [choose(known, name) for name in names]


@experiment.command()
@click.option(
    "--env", "-e", "envs", multiple=True, help="This environment alone; may be given again."
)
@click.option("--out", type=click.Path(path_type=Path), help="The file to write.")
@click.option(
    "--with-pictures", is_flag=True, help="Show frames of people, too: mind who will see the page."
)
@options("params", "trained_on")
def report(
    envs: tuple[str, ...],
    out: Path | None,
    with_pictures: bool,
    params: dict[str, Any],
    trained_on: str | None,
) -> None:
    """Write all that is finished to one static page, of every environment if none is named."""
    from wherewhen.experiments.report import OUT, ReportRequest, write_report
    from wherewhen.project import from_root, to_root

    asked = ReportRequest(envs, params, trained_on, with_pictures)
    click.echo(to_root(write_report(out or from_root(OUT), asked)))
