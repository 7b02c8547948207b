"""Every notebook runs from its first cell to its last on a finished run."""

import shutil
from pathlib import Path

import nbformat
import pytest
import yaml
from nbclient import NotebookClient
from wherewhen.experiments.results import Done, Results
from wherewhen.experiments.variants import decisive_parameters, variants_of

from wherewhen.experiments.config import load_experiments, nested

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
def copy(finished, tmp_path):
    """A copy of the finished project, and log lines kept out of the notebook's outputs."""
    shutil.copytree(finished.root, tmp_path / "project", symlinks=True)
    return tmp_path / "project"


@pytest.fixture
def quiet(tmp_path):
    path = tmp_path / "logging.yml"
    path.write_text(yaml.safe_dump({"version": 1, "disable_existing_loggers": False}))
    return path


def finish_experiment(root, parameters):
    """Let a finished run stand for the rows of an experiment, each with its trials."""
    (root / "conf/base/experiments.yml").write_text(EXPERIMENT)
    local = root / "conf/local"
    local.mkdir(exist_ok=True)
    (local / "parameters.yml").write_text(yaml.safe_dump(nested(parameters)))
    results = Results(root, "synthetic")
    variants = variants_of(load_experiments(root=root)["side_by_side"], root=root)
    (variant,) = {variant.key: variant for variant in variants.values()}.values()
    for layer in ("06_models", "07_model_output"):
        for trial in sorted((root / "data" / layer / "synthetic").glob("trial_*")):
            shutil.copytree(trial, results.folder(layer, variant) / trial.name)
    for number, trial in enumerate(variant.parameters.split.trial_names):
        results.record(
            Done(
                variant=variant.key,
                dataset=variant.dataset,
                trial=trial,
                data="data",
                split=f"split {number}",
                parameters=decisive_parameters(variant.parameters),
                commit="0" * 40,
                seconds=1.0,
                finished=f"2026-01-01T00:00:0{number}+00:00",
            )
        )


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
def test_it_runs(path, copy, quiet, finished, tiny, monkeypatch):
    for name, value in finished.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KEDRO_LOGGING_CONFIG", str(quiet))
    if path.stem == "walk_through_a_table":
        finish_experiment(copy, tiny)
    folder = copy / "notebooks"
    notebook = execute(folder / path.name, folder)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= 3
    assert not (folder / "mlflow.db").exists(), "it made a database of its own"
