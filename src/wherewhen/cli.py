"""The project's commands (the Kedro side): Kedro's own, with errors that people can read.

Kedro finds the group ``cli`` here and puts it before its own commands. Nothing heavy is imported
before a command runs: all of them are imported to print help.
"""

from __future__ import annotations

import copy
import os
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run

from wherewhen.commands import plain_errors, read_params
from wherewhen.experiments.cli import experiment
from wherewhen.galleries.cli import search
from wherewhen.sweeps.cli import sweep

RUNNER = "wherewhen.lineage.runner.Runner"


@click.group(name="wherewhen")
def cli() -> None:
    """Commands of wherewhen."""


def with_callback(option: click.Parameter, callback: Callable[..., Any]) -> click.Parameter:
    """Copy an option, and let another function read its value."""
    other = copy.copy(option)
    other.callback = callback
    return other


@plain_errors
def run_pipelines(anew: bool, system_metrics: bool, **options: Any) -> Any:
    """Run pipelines as Kedro does; see `run`."""
    terminate_like_interrupt()
    if anew and options["only_missing_outputs"]:
        raise click.UsageError("--anew and --only-missing-outputs ask for opposite things")
    if options["runner"] not in (None, "SequentialRunner"):
        raise click.UsageError(
            f"--runner {options['runner']} does not look at what was made already: leave it out. "
            "Trials can be run by several commands at once (--namespaces trial_00)"
        )
    if system_metrics:
        os.environ["MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"] = "true"
    if anew:
        options |= {"runner": RUNNER, "runner_params": {**options["runner_params"], "anew": True}}
    return kedro_run.callback(**options)


def terminate_like_interrupt() -> None:
    """Let SIGTERM end a command as Ctrl-C does, so that its MLflow run is ended as killed."""
    if os.name == "posix":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


run = copy.copy(kedro_run)
run.callback = run_pipelines
run.help = """Run the pipelines: make what is missing or out of date, and nothing else.

    What is taken over, and why the rest is made, is printed first.
    """
run.params = [
    with_callback(option, read_params) if option.name == "params" else option
    for option in kedro_run.params
] + [
    click.Option(
        ["--anew"],
        is_flag=True,
        help="Make it again, also what is there: all of it, or of --pipelines, --namespaces, ...",
    ),
    click.Option(
        ["--system-metrics"],
        is_flag=True,
        help="Also log the load of processors, memory and GPU to MLflow.",
    ),
]
cli.add_command(run)
experiment.add_command(sweep)
cli.add_command(experiment)
cli.add_command(search)


@cli.command()
@click.argument("artifact", required=False)
@click.option("--env", "-e", envvar="KEDRO_ENV", help="The environment: a data set's, in conf/.")
@click.option("--params", default="", callback=read_params, help="As given to the run.")
@click.option("--record", is_flag=True, help="Print the whole record of the artifact, as JSON.")
@plain_errors
def lineage(artifact: str | None, env: str | None, params: dict[str, Any], record: bool) -> None:
    """Say what ARTIFACT was made of, down to the frames: by whom, when, from what.

    ARTIFACT is a name in the catalog (scores, trial_00.network), or the path of an artifact's file.
    Without one, all that the parameters ask for is listed, with its place.
    """
    from wherewhen.lineage.show import show_all, show_record, show_tree
    from wherewhen.sessions import View

    view = View.of(env, params)
    if artifact is None:
        show_all(view)
    elif record:
        show_record(view, artifact)
    else:
        show_tree(view, artifact)


@cli.command()
@click.option("--env", "-e", envvar="KEDRO_ENV", help="The environment whose run it is.")
@click.option("--params", default="", callback=read_params, help="As given to the run.")
@click.option("--trial", required=True, help="Whose network it is: trial_00, trial_01, ...")
@click.option("--to", metavar="FOLDER", help="Where to, if not into the sources of the package.")
@plain_errors
def publish(env: str | None, params: dict[str, Any], trial: str, to: str | None) -> None:
    """Make the folder of the pretrained network that ships with the package, of a finished run.

    It gets the network of a trial, the metrics learned on its embeddings, and a card. All has to be
    up to date, of rendered people and made by one commit. `train.start: pretrained` begins there.
    """
    from wherewhen.project import from_root, to_root
    from wherewhen.publish import default_folder
    from wherewhen.publish import publish as make
    from wherewhen.sessions import View

    folder = from_root(to) if to else default_folder()
    card = make(View.of(env, params), trial, folder)
    for path in sorted(folder.iterdir()):
        click.echo(f"{to_root(path)}  {path.stat().st_size:,} bytes")
    click.echo(f"together {sum(path.stat().st_size for path in folder.iterdir()):,} bytes")
    if card.making.dirty:
        click.echo("The working tree differed from the commit; the card says so (dirty).", err=True)


@cli.command()
@click.option("--model", default="pretrained", show_default=True, metavar="pretrained|FILE",
              help="The network that ships with the package, or a network's file.")  # fmt: skip
@click.option("--part", type=click.Choice(["backbone", "network", "both"]), default="both",
              show_default=True, help="What to write; both: frames to embeddings.")  # fmt: skip
@click.option("--to", metavar="FOLDER", required=True, help="Where to.")
@click.option("--env", "-e", envvar="KEDRO_ENV", help="Whose backbone the network of FILE has.")
@click.option("--params", default="", callback=read_params, help="As given to the run.")
@plain_errors
def export(model: str, part: str, to: str, env: str | None, params: dict[str, Any]) -> None:
    """Write a network, its backbone or both as an ONNX file, FOLDER/PART.onnx.

    The backbone of the pretrained network is that of its card; that of another network is the one
    that the parameters of --env name. The file's metadata say what it takes.
    """
    from wherewhen.onnx_files import export_part
    from wherewhen.project import from_root, to_root

    path = export_part(model, part, from_root(to), env, params)
    click.echo(f"{to_root(path)}  {path.stat().st_size:,} bytes")


@cli.command("new-dataset")
@click.argument("name")
@click.option("--root", required=True, help="The footage's folder, or its archive.")
@click.option(
    "--reader",
    default="folder",
    show_default=True,
    help="Its layout: folder, manifest, prid2011, ilids_vid, mars (docs/reference/datasets.md).",
)
@click.option(
    "--model",
    is_flag=True,
    help="Take the model that ships with the package: nobody trains, everybody is tested.",
)
@plain_errors
def new_dataset(name: str, root: str, reader: str, model: bool) -> None:
    """Make an environment for footage of your own: conf/NAME, and then `kedro run --env NAME`."""
    from wherewhen import environments
    from wherewhen.project import to_root

    for path in environments.new_dataset(name, reader, root, model):
        click.echo(to_root(path))
    click.echo(f"Run it: kedro run --env {name}")


@cli.command()
@click.option("--person", help="Remove this person; the name is the tables'.")
@click.option("--dataset", help="Remove this data set, or look for the person in it alone.")
@click.option("--older-than", type=click.IntRange(0), metavar="DAYS",
              help="Remove what was made for the data set more than DAYS days ago.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option(
    "--derived", is_flag=True, help="Also remove figures and networks that the person is in."
)
@click.option("--raw", is_flag=True, help="Also remove the frames under data/01_raw.")
@plain_errors
def purge(
    person: str | None,
    dataset: str | None,
    older_than: int | None,
    dry_run: bool,
    yes: bool,
    derived: bool,
    raw: bool,
) -> None:
    """Remove a person, a data set, or what is old: cubes, embeddings and all else that was made.

    Names are taken as they are, not as patterns. Shows what it will remove, and asks. Lists what
    can't be reached and is left to you. Frames under data/01_raw stay without --raw.
    """
    if person is None and dataset is None:
        raise click.UsageError("say whom or what: --person ID, --dataset NAME, or both")
    if older_than is not None and (dataset is None or person is not None):
        raise click.UsageError("--older-than DAYS goes with --dataset NAME, and not with --person")

    from wherewhen.project import project_root
    from wherewhen.purge import Purge

    planned = Purge(project_root(), derived, raw)
    name = planned.chosen(dataset, person)
    with nullcontext() if dry_run else planned.alone(name):
        planned.plan(name, person, older_than)
        click.echo("would be removed:" if dry_run else "to be removed:")
        click.echo("\n".join(f"  {line}" for line in planned.lines()) or "  nothing")
        click.echo("left to you:")
        click.echo("\n".join(f"  {line}" for line in [*planned.left, ALWAYS_LEFT]))
        if dry_run or not (planned.removed or planned.versions):
            return
        if not yes:
            confirm_removal()
        planned.carry_out()
    click.echo("removed. The next run makes what is missing again, of the frames that are there")


ALWAYS_LEFT = "backups, exported figures, notebooks with outputs, models that were given away"


def confirm_removal() -> None:
    """Ask whether to remove; refuse where nobody can answer."""
    if not is_terminal():
        raise click.ClickException(
            "nothing was removed: there is no terminal to ask at. Give --yes to remove without a "
            "question, or --dry-run to only look"
        )
    click.confirm("Remove it?", abort=True)


def is_terminal() -> bool:
    """Whether somebody can answer."""
    return sys.stdin.isatty()


@cli.group()
def mlflow() -> None:
    """Look at what MLflow knows of the runs."""


@mlflow.command()
@click.option("--port", default=5000, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True)
@plain_errors
def ui(port: int, host: str) -> None:
    """Open MLflow's pages on the runs of this project."""
    import subprocess

    from wherewhen.tracking import tracking_uri

    words = ["-m", "mlflow", "ui", "--backend-store-uri", tracking_uri()]
    subprocess.run([sys.executable, *words, "--port", str(port), "--host", host], check=False)
