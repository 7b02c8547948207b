"""Where the project lies on disk (the Kedro side)."""

from pathlib import Path

from kedro.utils import find_kedro_project


def project_root() -> Path:
    """Return the Kedro project around the working directory, else the checkout of this file."""
    return find_kedro_project(Path.cwd()) or Path(__file__).resolve().parents[2]


def from_root(path: str | Path) -> Path:
    """Return a path as it is meant in the configuration: relative to the project's root."""
    return (project_root() / path).resolve()
