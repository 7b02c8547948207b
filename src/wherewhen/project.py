"""Where the project lies on disk (the Kedro side)."""

from pathlib import Path

from kedro.utils import find_kedro_project

from wherewhen.tracklets.files import displayed, expand_home


def project_root() -> Path:
    """Return the Kedro project around the working directory, else the checkout of this file."""
    return find_kedro_project(Path.cwd()) or Path(__file__).resolve().parents[2]


def to_root(path: Path) -> str:
    """Return a path as the configuration says it: relative to the project's root if it is there."""
    path = path.resolve()
    inside = path.is_relative_to(project_root())
    return (path.relative_to(project_root()) if inside else path).as_posix()


def from_root(path: str | Path) -> Path:
    """Return a path as it is meant in the configuration: relative to the project's root.

    Parameters
    ----------
    path : str or pathlib.Path
        A leading ``~`` is the home folder; ``$VARIABLES`` stay as they are.

    Returns
    -------
    pathlib.Path
        Absolute, with links followed, whether it exists or not.

    Raises
    ------
    ValueError
        If no file can have this path.
    """
    home_expanded = expand_home(path)
    try:
        return (project_root() / home_expanded).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL character
        raise ValueError(
            f"{displayed(path)!r}: no path that can be followed ({error}), expected that of a file "
            "or folder: correct the parameter"
        ) from error
