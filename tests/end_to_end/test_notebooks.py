"""Every notebook runs from its first cell to its last on a finished run."""

import shutil
from pathlib import Path

import nbformat
import pytest
import yaml
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


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


def test_there_is_a_notebook():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path, copy, quiet, finished, monkeypatch):
    for name, value in finished.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KEDRO_LOGGING_CONFIG", str(quiet))
    folder = copy / "notebooks"
    notebook = nbformat.read(folder / path.name, as_version=4)
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= 3
    assert not (folder / "mlflow.db").exists(), "it made a database of its own"
