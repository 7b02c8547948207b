"""The command ``kedro experiment sweep`` (the Kedro side)."""

from __future__ import annotations

from typing import Any

import click

from wherewhen.experiments.cli import options


@click.command()
@click.argument("name")
@click.option("--evaluations", "-n", type=click.IntRange(1), help="In total, earlier ones counted.")
@options("env", "params")
def sweep(name: str, evaluations: int | None, env: str | None, params: dict[str, Any]) -> None:
    """Search parameters on validation persons, as conf/*/sweeps.yml describes.

    An interrupted sweep continues. Test persons are never used.
    """
    from wherewhen.experiments.config import choose
    from wherewhen.sweeps.config import load_sweeps
    from wherewhen.sweeps.report import describe
    from wherewhen.sweeps.search import run_sweep

    chosen = choose(load_sweeps(env), name, "sweep")
    click.echo(describe(run_sweep(chosen, env, evaluations, params)))
