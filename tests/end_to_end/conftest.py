"""Runs of the real commands in a copy of the project that has its own data and tracking."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest

TINY = {
    "synthesise.persons": 10,
    "synthesise.min_frames": 4,
    "synthesise.max_frames": 6,
    "synthesise.mean_frames": 5,
    "train.training.modern.epochs": 3,
    "train.training.modern.frames": 4,
    "train.training.modern.persons_per_batch": 2,
    "train.training.modern.checkpoint_every": 1,
    "train.training.modern.validation_fraction": 0.2,
    "train.training.modern.validate_every": 1,
    "embed.clip_frames": 3,
    "report.probes": 2,
}
"""Parameters that shrink the demonstration to seconds without leaving out a stage."""


@dataclass(frozen=True)
class Project:
    """A copy of the project: its own conf, data and MLflow database."""

    root: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def command(self, *arguments: str, **parameters: object) -> list[str]:
        """Return the words of a ``kedro run`` with parameters."""
        given = ",".join(f"{name}={value}" for name, value in parameters.items())
        chosen = ["--params", given] if given else []
        return [sys.executable, "-m", "kedro", "run", *arguments, *chosen]

    def start(self, *arguments: str, **parameters: object) -> subprocess.Popen:
        """Start a run."""
        return subprocess.Popen(
            self.command(*arguments, **parameters),
            cwd=self.root,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, **parameters: object) -> str:
        """Run to the end and return what was printed."""
        process = self.start(*arguments, **parameters)
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
        return output

    def fail(self, *arguments: str, **parameters: object) -> str:
        """Run what must fail, and return what was printed, its line breaks taken out."""
        process = self.start(*arguments, **parameters)
        output, _ = process.communicate(timeout=300)
        assert process.returncode != 0, output
        return " ".join(output.split())

    def latest(self, dataset: str, name: str) -> Path:
        """Return the newest version of a versioned data set of the reporting layer."""
        versions = sorted((self.root / "data/08_reporting" / dataset / name).iterdir())
        return versions[-1] / name

    def scores(self, dataset: str = "synthetic") -> pd.DataFrame:
        """Return the newest scores."""
        return pd.read_parquet(self.latest(dataset, "scores.parquet"))


def copy_project(repository: Path, root: Path) -> Project:
    """Make a copy that shares nothing but the packages."""
    root.mkdir(parents=True, exist_ok=True)
    shutil.copytree(repository / "conf", root / "conf")
    shutil.copy(repository / "pyproject.toml", root)
    shutil.copy(repository / ".telemetry", root)
    shutil.copytree(repository / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return Project(root, {"COLUMNS": "200", "MLFLOW_TRACKING_URI": "", "TERM": "dumb"})


@pytest.fixture
def project(repository: Path, tmp_path: Path) -> Project:
    """A fresh copy for one test."""
    return copy_project(repository, tmp_path / "project")


@pytest.fixture(scope="session")
def finished(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A copy in which the whole chain ran once, undisturbed and tiny; tests only read it."""
    project = copy_project(repository, tmp_path_factory.mktemp("finished") / "project")
    output = project.run(**TINY)
    (project.root / "output.txt").write_text(output)
    yield project
