"""SQLite files, looked at before they are used: why one can't be, and what to do about it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryFile

PATIENCE = 5.0
"""Seconds that another process may hold a file."""

_open: dict[Path, tuple[int, int]] = {}
"""Databases that this process has open: which files they were then."""

_PRIMARY = 0xFF
"""The bits of SQLite's error codes that name the kind of a fault."""


def fault(
    path: Path,
    patience: float = PATIENCE,
    judge: Callable[[sqlite3.Connection], str | None] = lambda database: None,
) -> str | None:
    """Say why a database can't be used, and what to do; None if it can, or is yet to be made.

    Nothing in the file is changed. To SQLite, an empty file is a database without tables.

    Parameters
    ----------
    path : Path
        The file.
    patience : float
        Seconds to wait for another process that holds it.
    judge : callable
        Called with the open database if it can be written to: says what is wrong with its content,
        or None.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     damaged = Path(folder, "a.db")
    ...     _ = damaged.write_text("longer than a header and no database " * 30)
    ...     fault(damaged).partition(" is ")[2]
    'damaged (file is not a database): put a copy in its place, or move it away with all it holds'
    """
    if reason := exchanged(path):
        return reason
    if not path.exists():
        return _fault_of_its_folder(path.absolute().parent)
    if not path.is_file():
        return f"{path} is no file, expected a database: move it away"
    try:
        with closing(sqlite3.connect(path, timeout=patience, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("CREATE TABLE wherewhen_was_here (id INTEGER)")
            database.execute("ROLLBACK")
            return judge(database)
    except sqlite3.Error as error:
        return _explained(path, error, patience)


def remember(path: Path) -> None:
    """Note which file a database is that this process keeps open from now on."""
    _open[path] = _file(path)


def exchanged(path: Path) -> str | None:
    """Say whether a database that is open was removed or replaced; None if it was not.

    What is written then goes into the old file, which nobody will ever read.
    """
    if path not in _open:
        return None
    try:
        what = None if _file(path) == _open[path] else "replaced"
    except FileNotFoundError:
        what = "removed"
    return what and f"{path} was {what} while this process used it: start the command again"


def _file(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_dev, state.st_ino


def tables(database: sqlite3.Connection) -> set[str]:
    """Return the names of a database's tables."""
    found = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name for (name,) in found}


def _explained(path: Path, error: sqlite3.Error, patience: float) -> str:
    kind = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
    if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return (
            f"{path} is held by another process, for more than {patience:g} s ({error}): wait "
            "until that is done, or end it (`lsof` and the path name it)"
        )
    if kind in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return (
            f"{path} is damaged ({error}): put a copy in its place, or move it away with all it "
            "holds"
        )
    if kind in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return f"{path} can't be written ({error}): free some space, or look after the disk"
    return (
        f"{path} can't be written to ({error}): give yourself the right to change it and its folder"
    )


def _fault_of_its_folder(folder: Path) -> str | None:
    while not folder.exists():  # it is made
        folder = folder.parent
    try:
        with TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return f"{folder} can't be written to ({error.strerror}): give yourself the right to it"
