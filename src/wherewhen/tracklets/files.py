"""Files and folders that a user names: opened, listed and read as text, or refused with a reason.

What the operating system or a parser says of a file becomes an error that names the file, what was
expected and what to do. A path that is not a regular file (a pipe, a device) is never read: that
would wait for ever, or never end.
"""

from __future__ import annotations

import csv
import errno
import io
import os
import stat
from pathlib import Path
from typing import BinaryIO

import pandas as pd

_CURES = {
    errno.EACCES: "give yourself the right to it",
    errno.EPERM: "give yourself the right to it",
    errno.EDQUOT: "free some space",
    errno.EIO: "the disk may be damaged: copy the file again",
    errno.ENAMETOOLONG: "shorten it",
    errno.ENOSPC: "free some space",
    errno.EROFS: "choose a folder that can be written to",
}
_SHOWN = 80
"""Characters of a value that a message shows."""


class FileError(ValueError):
    """A file or folder that can't be used as it is."""


def expand_home(path: str | Path) -> Path:
    """Replace a leading ``~`` or ``~user`` by the home folder; ``$VARIABLES`` stay as they are.

    Parameters
    ----------
    path : str or pathlib.Path
        The path; ``./~`` is a folder of that name.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    FileError
        If there is no such user, or the home folder is not known.
    """
    # Path drops the leading dot of "./~", which says that the name is meant as it is
    if not os.fspath(path).startswith("~"):
        return Path(path)
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise FileError(
            f"{displayed(path)}: the home folder that ~ stands for is not known. Expected ~, or "
            "~ and the name of a user of this machine: write the whole path, or put ./ before it "
            "if a folder bears this name"
        ) from error


def is_text(name: str | Path) -> bool:
    """Say whether a name is UTF-8: others can't be written into tables, JSON or a console.

    Parameters
    ----------
    name : str or pathlib.Path
        As the operating system gives it; bytes that are not UTF-8 are surrogates in it.
    """
    text = os.fspath(name)
    return text.isascii() or displayed(text) == text


def displayed(name: str | Path) -> str:
    r"""Write a name so that it can be printed: bytes that are not UTF-8 as ``\xe9``.

    Parameters
    ----------
    name : str or pathlib.Path
        Any name or path.
    """
    text = os.fspath(name)
    try:
        return os.fsencode(text).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a surrogate that stands for no byte, from JSON or YAML
        return text.encode("utf-8", "backslashreplace").decode()


def shortened(value: object) -> str:
    """Write a value as in a program, cut where it is long.

    Parameters
    ----------
    value : object
        E.g. a field of a table.
    """
    text = repr(value[: 2 * _SHOWN] if isinstance(value, str) else value)
    length = len(value if isinstance(value, str) else text)
    return text if length <= _SHOWN else f"{text[:_SHOWN]}... ({length} characters)"


def reason(error: OSError) -> str:
    """Say what the operating system objects to, without the path, and what helps against it.

    Parameters
    ----------
    error : OSError
        E.g. a `PermissionError`.

    Returns
    -------
    str
        E.g. ``Permission denied (give yourself the right to it)``.
    """
    cause = error.strerror or str(error) or type(error).__name__
    cure = _CURES.get(error.errno or 0)
    return f"{cause} ({cure})" if cure else cause


def open_regular(path: str | Path) -> BinaryIO:
    """Open a regular file for reading; a pipe or device is refused, not waited for.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.

    Raises
    ------
    OSError
        As from `open`, also for what is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder, not a file", os.fspath(path))
    raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", os.fspath(path))


def open_file(path: str | Path, what: str, remedy: str) -> BinaryIO:
    """Open a file that a user has named.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.
    what : str
        What it should be, e.g. ``table of splits``.
    remedy : str
        What was expected and what to do, e.g. ``expected ...; correct split.path``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FileError
        If it is a folder, a pipe or a device, or can't be read.
    """
    shown = displayed(path)
    try:
        return open_regular(path)
    except (FileNotFoundError, NotADirectoryError):
        link = " (a link that leads nowhere)" if os.path.islink(path) else ""  # noqa: PTH114
        raise FileNotFoundError(f"no {what} at {shown}{link}: {remedy}") from None
    except OSError as error:
        raise FileError(f"{what} {shown}: {reason(error)}; {remedy}") from error
    except ValueError as error:  # a NUL character, or a surrogate that stands for no byte
        raise FileError(f"{what} {shown!r}: no file can have this name; {remedy}") from error


def read_text(path: str | Path, what: str, remedy: str) -> str:
    """Read a text file in UTF-8, with or without a byte order mark.

    Parameters
    ----------
    path, what, remedy
        As for `open_file`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FileError
        If it can't be read, or is not UTF-8.
    """
    with open_file(path, what, remedy) as file:
        content = file.read()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        encoding = "UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "another encoding"
        raise FileError(
            f"{what} {displayed(path)}: not UTF-8 (byte {error.start + 1} is "
            f"0x{content[error.start]:02x}): {encoding}, or no text; {remedy}"
        ) from error


def read_csv(path: str | Path, what: str, remedy: str) -> pd.DataFrame:
    """Read a CSV file strictly: every row has as many fields as the first line has names.

    Parameters
    ----------
    path, what, remedy
        As for `open_file`.

    Returns
    -------
    pandas.DataFrame
        Text alone; the index is the number of the line in the file, from 1, at which a row ends.
        Empty lines, and columns without a name, are left out.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FileError
        If it can't be read, is not UTF-8 or holds NUL characters, a name stands twice in its first
        line, or a row has another number of fields.
    """
    text = read_text(path, what, remedy)

    def refuse(fault: str) -> FileError:
        return FileError(f"{what} {displayed(path)}: {fault}; {remedy}")

    if "\0" in text:
        raise refuse("holds NUL characters, so it is no text")
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    names: list[str] = []
    columns: list[list[str]] = []
    lines: list[int] = []
    try:
        for row in rows:
            if not any(field.strip() for field in row[:1]) and len(row) < 2:
                continue
            if not names:
                names = [name.strip() for name in row]
                columns = [[] for _ in names]
                continue
            if len(row) != len(names):
                raise refuse(
                    f"line {rows.line_num} has {len(row)} fields, but the first line "
                    f"{len(names)} ({shortened(','.join(names))})"
                )
            lines.append(rows.line_num)
            for column, field in zip(columns, row, strict=True):
                column.append(field)
    except csv.Error as error:
        raise refuse(f"line {rows.line_num} is not CSV ({error})") from error
    if not names:
        raise refuse("it is empty")
    if twice := [name for name in dict.fromkeys(names) if name and names.count(name) > 1]:
        raise refuse(f"column {', '.join(map(shortened, twice))} stands twice in the first line")
    named = {name: column for name, column in zip(names, columns, strict=True) if name}
    return pd.DataFrame(named, index=lines, dtype=str)
