"""Runs of the real commands in a copy of the project that has its own data and tracking.

The root's ``conftest`` names this module as a plugin: all tests have its fixtures, and the one
finished run. Nothing heavy is imported before it is used, since most tests need none of it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import pandas as pd

TINY = {
    "synthesise.persons": 12,
    "synthesise.min_frames": 4,
    "synthesise.max_frames": 6,
    "synthesise.mean_frames": 5,
    "train.training.epochs": 6,
    "train.training.frames": 4,
    "train.training.persons_per_batch": 2,
    "train.training.checkpoint_every": 1,
    "train.training.checkpoint_seconds": 0,
    "train.training.validation_fraction": 0.34,
    "train.training.validate_every": 1,
    "train.training.threads": 1,
    "embed.clip_frames": 3,
    "report.probes": 2,
}
"""Parameters that shrink the demonstration to seconds without leaving out a stage."""


PATIENCE = 500
"""Seconds until a command that hangs is given up."""


@dataclass(frozen=True)
class Project:
    """A copy of the project: its own conf, data and MLflow database."""

    root: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def command(self, *arguments: str, **parameters: object) -> list[str]:
        """Return the words of a ``kedro run`` with parameters."""
        return self.kedro("run", *arguments, **parameters)

    def kedro(self, *arguments: str, **parameters: object) -> list[str]:
        """Return the words of any command of Kedro's with parameters."""
        given = ",".join(f"{name}={value}" for name, value in parameters.items())
        chosen = ["--params", given] if given else []
        return [sys.executable, "-m", "kedro", *arguments, *chosen]

    def start(self, *arguments: str, **parameters: object) -> subprocess.Popen:
        """Start a run."""
        return self.spawn(self.command(*arguments, **parameters))

    def spawn(self, command: Sequence[str], **options: Any) -> subprocess.Popen:
        """Start any command in the project."""
        return subprocess.Popen(
            command,
            cwd=self.root,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )

    def run(self, *arguments: str, **parameters: object) -> str:
        """Run to the end and return what was printed."""
        return self.output_of(self.command(*arguments, **parameters))

    def output_of(self, command: Sequence[str]) -> str:
        """Return what a command that must succeed printed."""
        process = self.spawn(command)
        output, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, output
        return output

    def fail(self, *arguments: str, **parameters: object) -> str:
        """Run what must fail, and return what was printed, its line breaks taken out."""
        return self.failure_of(self.command(*arguments, **parameters))

    def failure_of(self, command: Sequence[str], **options: Any) -> str:
        """Return what a command that must fail printed, its line breaks taken out."""
        process = self.spawn(command, **options)
        output, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode > 0, output
        return " ".join(output.split())

    def made(self, file: str) -> list[dict[str, Any]]:
        """Return the records of what was made as a file under ``data/``, the first one first."""
        path = self.root / "data" / file
        found = [*path.glob("*/record.json"), *path.parent.glob(f"{path.name}.record.json")]
        records = [{**json.loads(each.read_text()), "beside": each} for each in found]
        return sorted(records, key=lambda record: record["finished"])

    def latest(self, file: str) -> Path:
        """Return the artifact that was made last as a file under ``data/``."""
        return self.made(file)[-1]["beside"].with_name(Path(file).name)

    def runs(self, dataset: str = "synthetic") -> list[Any]:
        """Return the MLflow runs of a data set, the first one first."""
        import mlflow

        client = mlflow.MlflowClient(f"sqlite:///{self.root / 'mlflow.db'}")
        experiment = client.get_experiment_by_name(dataset)
        return client.search_runs(
            [experiment.experiment_id], order_by=["start_time ASC"], max_results=1000
        )

    def scores(self, dataset: str = "synthetic") -> pd.DataFrame:
        """Return the scores that were made last."""
        import pandas as pd

        return pd.read_parquet(self.latest(f"08_reporting/{dataset}/scores.parquet"))

    def weights(self, trial: str, dataset: str = "synthetic") -> dict[str, Any]:
        """Return the tensors of the network that a trial has trained last."""
        from safetensors.torch import load_file

        return load_file(self.latest(f"06_models/{dataset}/{trial}/network.safetensors"))


def copy_project(repository: Path, root: Path, database: Path | None = None) -> Project:
    """Make a copy that shares nothing but the packages.

    Kedro insists on the sources lying inside; what is imported is the installed package.
    """
    root.mkdir(parents=True, exist_ok=True)
    for folder in ("conf", "src", "notebooks"):
        shutil.copytree(
            repository / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    for file in ("pyproject.toml", ".telemetry"):
        shutil.copy(repository / file, root)
    if database is not None:
        shutil.copy(database, root / "mlflow.db")
    return Project(root, {"COLUMNS": "200", "MLFLOW_TRACKING_URI": "", "TERM": "dumb"})


def commit(root: Path) -> None:
    """Make a repository of a copy, so that its runs have a commit to name."""
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    for words in (["init"], ["add", "conf", "src"], ["commit", "--message", "A copy"]):
        subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


@pytest.fixture(scope="session")
def new_project(repository: Path, database: Path) -> Callable[[Path], Project]:
    """Return a function that makes a fresh copy in a folder."""
    return lambda folder: copy_project(repository, folder / "project", database)


@pytest.fixture
def project(new_project: Callable[[Path], Project], tmp_path: Path) -> Project:
    """A fresh copy for one test."""
    return new_project(tmp_path)


@pytest.fixture(scope="session")
def finished(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy in which the whole chain ran once, undisturbed and tiny; tests only read it."""
    project = copy_project(repository, tmp_path_factory.mktemp("finished") / "project")
    commit(project.root)
    output = project.run(**TINY)
    (project.root / "output.txt").write_text(output)
    return project


@pytest.fixture
def copied(finished: Project, project: Project) -> Project:
    """A copy in which the whole chain ran: its data, and an MLflow of its own."""
    shutil.copytree(finished.root / "data", project.root / "data", dirs_exist_ok=True)
    return project


@pytest.fixture(scope="session")
def here() -> Callable[..., tuple[int, str]]:
    """Return a function that calls a command in this process: (exit code, what it printed).

    That saves the start of Kedro, MLflow and torch. All is afterwards as it was before.
    """
    import mlflow
    from click.testing import CliRunner
    from kedro.framework.startup import bootstrap_project

    from wherewhen import pipeline_registry
    from wherewhen.cli import cli

    def call(project: Project, *words: str, **parameters: object) -> tuple[int, str]:
        given = ",".join(f"{name}={value}" for name, value in parameters.items())
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(project.root)
            patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project.root / 'mlflow.db'}")
            patch.setattr(pipeline_registry, "_parameters", None)
            patch.setattr(sys, "path", list(sys.path))
            bootstrap_project(project.root)
            try:
                result = CliRunner().invoke(cli, [*words, *(["--params", given] if given else [])])
            finally:
                mlflow.set_tracking_uri(None)
        if not isinstance(result.exception, SystemExit | None):
            raise result.exception
        return result.exit_code, " ".join(result.output.split())

    return call


@pytest.fixture(scope="session")
def tiny() -> Mapping[str, object]:
    """Return the parameters of the finished run."""
    return MappingProxyType(TINY)


@pytest.fixture(scope="session")
def kill_when() -> Callable[[subprocess.Popen, Callable[[], Any]], None]:
    """Return a function that sends SIGKILL as soon as something has happened.

    It fails when the process ends before.
    """

    def kill(process: subprocess.Popen, happened: Callable[[], Any]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not happened():
            assert process.poll() is None, (
                f"it ended before it was killed:\n{process.stdout.read()}"
            )
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(0.002)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL

    return kill
