"""Every notebook runs from its first cell to its last on a finished run."""

import shutil
from pathlib import Path

import nbformat
import pytest
import yaml
from nbclient import NotebookClient

from wherewhen.experiments.config import nested

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))

SLOW = {"open_the_model", "your_own_data"}
"""These run the backbone, the last one renders people besides."""

EXPERIMENT = """
side_by_side:
  title: Network and metrics side by side
  table: IV
  rows:
    network: {published: Average/attention pooling}
    network + KISSME: {metric: kissme}
    row-pooled cubes + KISSME: {features: row_pooled, metric: kissme}
"""
"""Rows that set no parameter: the finished run is theirs."""


@pytest.fixture
def copy(finished, tiny, tmp_path):
    """A copy of the finished project, with an environment of the parameters that it ran with."""
    root = tmp_path / "project"
    shutil.copytree(finished.root, root, symlinks=True)
    (root / "conf/tiny").mkdir()
    (root / "conf/tiny/globals.yml").write_text("dataset: synthetic\n")
    (root / "conf/tiny/parameters.yml").write_text(yaml.safe_dump(nested(tiny)))
    (root / "conf/base/experiments.yml").write_text(EXPERIMENT)
    return root


@pytest.fixture
def quiet(tmp_path):
    """Keep log lines out of the notebook's outputs."""
    path = tmp_path / "logging.yml"
    path.write_text(yaml.safe_dump({"version": 1, "disable_existing_loggers": False}))
    return path


def execute(path, folder):
    """Run a notebook in a folder, and return it with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    return notebook


def test_there_are_notebooks():
    assert {path.stem for path in NOTEBOOKS} > SLOW


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_of_a_run_is_kept_in_it(path):
    cells = nbformat.read(path, as_version=4).cells
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
    assert all(len(cell.source.splitlines()) <= 16 for cell in cells if cell.cell_type == "code")


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] * (path.stem in SLOW))
        for path in NOTEBOOKS
    ],
)
def test_it_runs(path, copy, quiet, finished, monkeypatch):
    for name, value in finished.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KEDRO_LOGGING_CONFIG", str(quiet))
    monkeypatch.setenv("WHEREWHEN_ENV", "tiny")
    folder = copy / "notebooks"
    notebook = execute(folder / path.name, folder)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= 3
    assert not (folder / "mlflow.db").exists(), "it made a database of its own"
