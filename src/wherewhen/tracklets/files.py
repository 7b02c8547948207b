"""Open, list and read files and folders that a user names, with errors that say what to do.

An error names the file, what was expected and the remedy. Only regular files are opened: reading a
pipe or a device may never end.
"""

from __future__ import annotations

import csv
import errno
import io
import itertools
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn

if TYPE_CHECKING:
    import pandas as pd


CURES = {
    errno.EACCES: "give yourself the right to it",
    errno.EPERM: "give yourself the right to it",
    errno.EDQUOT: "free some space",
    errno.EIO: "the disk may be damaged: copy the file again",
    errno.EFBIG: "let it grow larger: ulimit -f",
    errno.ENAMETOOLONG: "shorten it",
    errno.ENOSPC: "free some space",
    errno.EROFS: "choose a folder that can be written to",
}
"""What to do about what the system says of a file or a disk, by its number."""

LEAVINGS = frozenset(
    {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "lost+found", "icon\r"}
    | {"$recycle.bin", "recycler", "system volume information", "network trash folder"}
    | {"temporary items", "@eadir", "@tmp", "@recycle", "@recently-snapshot", "#recycle"}
    | {"#snapshot"}
)
"""Files and folders that operating systems and NAS devices leave, in lower case; never data."""

_CHUNK = 20_000
"""Rows of a CSV file that are converted to a table at a time, to bound memory."""

_READ = os.O_RDONLY | sum(
    getattr(os, flag, 0)  # the first two are not known to Windows, the third to it alone
    for flag in ("O_CLOEXEC", "O_NONBLOCK", "O_BINARY")
)
"""Flags of `os.open`: opening a pipe must not block."""

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
    r"""Whether a name is valid UTF-8, so that tables, JSON and a console can hold it.

    The operating system's bytes that are not UTF-8 are surrogates in the name.

    Examples
    --------
    >>> is_text("müller"), is_text("caf\udce9")
    (True, False)
    """
    text = os.fspath(name)
    return text.isascii() or displayed(text) == text


def displayed(name: str | Path) -> str:
    r"""Return a name as printable text: bytes that are not UTF-8 become ``\xe9``."""
    text = os.fspath(name)
    try:
        return os.fsencode(text).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a surrogate that stands for no byte, from JSON or YAML
        return text.encode("utf-8", "backslashreplace").decode()


def shortened(value: object) -> str:
    """Return the `repr` of a value, for instance of a table's field, truncated if it is long."""
    text = repr(value[: 2 * _SHOWN] if isinstance(value, str) else value)
    length = len(value if isinstance(value, str) else text)
    return text if length <= _SHOWN else f"{text[:_SHOWN]}... ({length} characters)"


def reason(error: OSError) -> str:
    """Return the operating system's message without the path, and the remedy.

    Examples
    --------
    >>> reason(PermissionError(errno.EACCES, "Permission denied", "/data"))
    'Permission denied (give yourself the right to it)'
    """
    cause = error.strerror or str(error) or type(error).__name__
    cure = CURES.get(error.errno or 0)
    return f"{cause} ({cure})" if cure else cause


# Before Python 3.14, Path's methods raise where a path can't be resolved; these return False.
is_there, is_file, is_dir, is_link = (
    os.path.exists,
    os.path.isfile,
    os.path.isdir,
    os.path.islink,
)


def is_leaving(name: str) -> bool:
    """Whether a file or folder is hidden, or left by an operating system (`LEAVINGS`).

    Examples
    --------
    >>> [is_leaving(name) for name in ("._1.png", "@eaDir", "Thumbs.db", "1.png")]
    [True, True, True, False]
    """
    return name.startswith(".") or name.lower() in LEAVINGS


def entries(folder: str | Path, leavings: bool = False) -> list[os.DirEntry[str]]:
    """List a folder, sorted by name.

    Parameters
    ----------
    folder : str or pathlib.Path
        The folder.
    leavings : bool
        Include hidden entries and what operating systems leave (see `is_leaving`).

    Raises
    ------
    FileError
        If the folder can't be listed.
    """
    try:
        with os.scandir(folder) as listing:
            found = (entry for entry in listing if leavings or not is_leaving(entry.name))
            return sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise FileError(
            f"folder {displayed(folder)}: can't be listed: {reason(error)}. Expected a folder that "
            "can be read"
        ) from error


def refuse_names(folder: str | Path, names: Iterable[str]) -> None:
    """Raise a `FileError` if names of files or folders in a folder are not UTF-8."""
    if odd := [displayed(name) for name in names if not is_text(name)]:
        raise FileError(
            f"folder {displayed(folder)}: {len(odd)} names in it are not UTF-8, for instance "
            f"{odd[0]}. Tables and JSON can't hold them: rename these files and folders"
        )


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link that resolves to one."""
    try:
        return entry.is_dir()
    except OSError:  # a loop of links, or no permission to follow one
        return False


def is_broken_link(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a link that can't be resolved."""
    return entry.is_symlink() and not is_there(entry.path)


def open_regular(path: str | Path) -> BinaryIO:
    """Open a regular file for reading; anything else, too, raises an `OSError`."""
    descriptor = os.open(path, _READ)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder, not a file", os.fspath(path))
    raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", os.fspath(path))


def open_file(path: str | Path, what: str, remedy: str) -> BinaryIO:
    """Open a regular file, with errors that name it.

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
        link = " (a link that leads nowhere)" if is_link(path) else ""
        raise FileNotFoundError(f"no {what} at {shown}{link}: {remedy}") from None
    except OSError as error:
        raise FileError(f"{what} {shown}: {reason(error)}; {remedy}") from error
    except ValueError as error:  # a NUL character, or a surrogate that stands for no byte
        raise FileError(f"{what} {shown!r}: no file can have this name; {remedy}") from error


def read_text(path: str | Path, what: str, remedy: str) -> str:
    """Read a text file in UTF-8, with or without a byte order mark (BOM).

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
    import pandas as pd  # here: commands that print help need no pandas

    text = read_text(path, what, remedy)

    def refuse(fault: str) -> NoReturn:
        raise FileError(f"{what} {displayed(path)}: {fault}; {remedy}")

    def rows() -> Iterator[tuple[int, list[str]]]:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        try:
            for fields in reader:
                if len(fields) > 1 or "".join(fields).strip():
                    yield reader.line_num, fields
        except csv.Error as error:
            refuse(f"line {reader.line_num} is not CSV ({error})")

    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        refuse(f"line {line} has a NUL character, so this is no text")
    numbered = rows()
    names = [name.strip() for name in next(numbered, (0, []))[1]]
    if not names:
        refuse("it is empty")
    if twice := [name for name in dict.fromkeys(names) if name and names.count(name) > 1]:
        refuse(f"column {', '.join(map(shortened, twice))} stands twice in the first line")
    parts = [pd.DataFrame(columns=names, index=pd.Index([], dtype="int64"), dtype=str)]
    while chunk := list(itertools.islice(numbered, _CHUNK)):
        for line, fields in chunk:
            if len(fields) != len(names):
                first = shortened(",".join(names))
                refuse(
                    f"line {line} has {len(fields)} fields, but the first line {len(names)} "
                    f"({first})"
                )
        lines, values = zip(*chunk, strict=True)
        parts.append(pd.DataFrame(list(values), columns=names, index=list(lines), dtype=str))
    return pd.concat(parts[1:] or parts).loc[:, [name != "" for name in names]]
