"""Where the project lies on disk (the Kedro side)."""

from pathlib import Path

from kedro.utils import find_kedro_project

from wherewhen.tracklets.files import displayed, expand_home

PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parents[1]
"""The folder of the sources, where the package is not installed from a wheel."""

REPORTING, SEARCH = "08_reporting", "09_search"
"""Under ``data/``: reports and galleries, a folder for each data set."""

ANSWERS, MARKS = "search", "marks.csv"
"""In a data set's reports, the folder of what was found in its gallery; in that, the file of what
people say of it, by tracklets' names alone."""


def project_root() -> Path:
    """Return the folder under which data lie.

    That is the Kedro project around the working directory; else the checkout of this file; of an
    installed package the working directory.
    """
    checkout = CHECKOUT if (CHECKOUT / "pyproject.toml").is_file() else None
    return find_kedro_project(Path.cwd()) or checkout or Path.cwd()


def conf_source() -> Path:
    """Return the folder of the configuration, there or not: ``conf`` under the root."""
    return project_root() / "conf"


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
