"""Where the project lies on disk (the Kedro side)."""

from pathlib import Path

from kedro.utils import find_kedro_project


def project_root() -> Path:
    """Return the Kedro project around the working directory, else the checkout of this file."""
    return find_kedro_project(Path.cwd()) or Path(__file__).resolve().parents[2]


def to_root(path: Path) -> str:
    """Return a path as the configuration says it: relative to the project's root if it is there."""
    path = path.resolve()
    inside = path.is_relative_to(project_root())
    return (path.relative_to(project_root()) if inside else path).as_posix()


def from_root(path: str | Path) -> Path:
    """Return a path as it is meant in the configuration: relative to the project's root."""
    return (project_root() / path).resolve()
