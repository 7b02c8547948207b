"""Folders of a data set: their frames, their subfolders, and what is in them besides."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from wherewhen.tracklets.files import (
    FileError,
    displayed,
    entries,
    is_broken_link,
    is_dir,
    is_folder,
    is_leaving,
    is_there,
    reason,
    refuse_names,
)

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
"""File name endings of frames, in lower case; files may have them in any case."""

VIDEO_SUFFIXES = (
    *(".mp4", ".avi", ".mkv", ".mov", ".webm", ".mpg", ".mpeg", ".m4v", ".ts", ".mts", ".m2ts"),
    *(".vob", ".wmv", ".asf", ".flv", ".3gp", ".3g2", ".ogv", ".mxf", ".dav", ".h264", ".264"),
    *(".h265", ".265", ".hevc", ".mjpg", ".mjpeg", ".m2v", ".dv", ".divx", ".y4m", ".f4v"),
)
"""Likewise of videos."""

RENDERED = ("manifest.json", "SHA256SUMS", "truth")
"""What the stage `synthesise` writes beside the frames."""

_LISTED = 20
_log = logging.getLogger(__name__)


def listed(names: Sequence[str], shown: int = _LISTED) -> str:
    """Join names by commas: the first ones, then the number of the others.

    Examples
    --------
    >>> listed(["a", "b"])
    'a, b'
    >>> listed([str(number) for number in range(23)])[-12:]
    '9 and 3 more'
    >>> listed(["a", "b", "c"], shown=2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def relative(path: Path, root: Path) -> str:
    """Return a path relative to the root, with slashes."""
    return path.relative_to(root).as_posix()


def image_files(folder: Path) -> list[str]:
    """Return the names of the files with an image's suffix in a folder, sorted.

    Links that lead nowhere and pipes are included: reading them is a fault with a name.

    Raises
    ------
    wherewhen.tracklets.files.FileError
        If the folder can't be listed, or the name of such a file is not UTF-8.
    """
    names = [
        entry.name
        for entry in entries(folder)
        if entry.name.lower().endswith(IMAGE_SUFFIXES) and not is_folder(entry)
    ]
    refuse_names(folder, names)
    return names


def subfolders(folder: Path) -> list[Path]:
    """List the folders in a folder, sorted by name, without hidden ones and systems' leavings.

    Raises
    ------
    wherewhen.tracklets.files.FileError
        If the folder can't be listed, or the name of a folder in it is not UTF-8.
    """
    names = [entry.name for entry in entries(folder) if is_folder(entry)]
    refuse_names(folder, names)
    return [folder / name for name in names]


def find_folder(
    base: Path, children: Sequence[str], depth: int = 4, passing: Sequence[str] = ()
) -> Path | None:
    """Find the folder that contains given entries, however deep an archive put it.

    Parameters
    ----------
    base : pathlib.Path
        Where to start.
    children : sequence of str
        Names or relative paths, all of which the folder must contain.
    depth : int
        Levels to go down at most.
    passing : sequence of str
        Prefixes of names of folders that are not searched.

    Returns
    -------
    pathlib.Path or None
        The first one, level by level and by name.
    """
    level = [base]
    for _ in range(depth + 1):
        for folder in level:
            if all(is_there(folder / child) for child in children):
                return folder
        level = [
            inside
            for folder in level
            for inside in _searched(folder)
            if not inside.name.startswith(tuple(passing))
        ]
    return None


def _searched(folder: Path) -> list[Path]:
    """List subfolders; a folder that can't be listed may be no part of the data set."""
    try:
        return [Path(entry.path) for entry in entries(folder) if is_folder(entry)]
    except FileError as error:
        _log.warning("passed over: %s", error)
        return []


def expected_folder(folder: Path, what: str, layout: str) -> Path:
    """Return a folder, or raise a `FileNotFoundError` that says what was expected.

    Parameters
    ----------
    folder : pathlib.Path
        The folder.
    what : str
        What it should be, for the message.
    layout : str
        The expected layout, for the message.
    """
    if not is_dir(folder):
        raise FileNotFoundError(
            f"{what}: no folder {displayed(folder)} ({_why_no_folder(folder)}). Expected: "
            f"{layout}. Get the data set under its owner's terms, and set the root to its folder "
            "or archive"
        )
    return folder


def _why_no_folder(path: Path) -> str:
    try:
        path.stat()
    except FileNotFoundError:
        return "it is a link that leads nowhere" if path.is_symlink() else "it does not exist"
    except NotADirectoryError:
        return "a part of its path is a file"
    except OSError as error:
        return reason(error)
    except ValueError:  # a NUL character
        return "no folder can have this name"
    return "it is a file"


def hint_at_links(root: Path) -> str:
    """Return a sentence that names broken links in a folder or one level below, or nothing.

    They often mean that a disk is not mounted.
    """
    links = [
        displayed(relative(Path(entry.path), root))
        for folder in (root, *subfolders(root))
        for entry in entries(folder)
        if is_broken_link(entry)
    ]
    return f" Links that lead nowhere: {listed(links)}." if links else ""


def survey(
    used: Iterable[tuple[Path, Collection[str]]], root: Path, known: Collection[str] = ()
) -> tuple[list[str], list[str]]:
    """Find what a reader does not use, in the folders of tracklets and in those above them.

    Parameters
    ----------
    used : iterable of (pathlib.Path, collection of str)
        The folders of tracklets below the root, and the names in each that are read.
    root : pathlib.Path
        The data set's folder.
    known : collection of str
        Names of files and folders, and relative paths of folders, that the reader reports itself or
        that belong to the layout.

    Returns
    -------
    links : list of str
        Links that lead nowhere.
    notes : list of str
        Sentences that count and name everything else.
    """
    names: dict[Path, set[str]] = {}
    for folder, own in used:
        names.setdefault(folder, set()).update(own)
    for folder in list(names):
        while folder != root:
            seen = folder.parent in names
            names.setdefault(folder.parent, set()).add(folder.name)
            if seen:
                break
            folder = folder.parent
    known = {*known, *RENDERED}
    links, leavings, others = [], [], []
    for folder in sorted(names):
        for entry in entries(folder, leavings=True):
            place = relative(folder / entry.name, root)
            if entry.name in names[folder] or not known.isdisjoint((entry.name, place)):
                continue
            if is_leaving(entry.name):
                kind = leavings
            else:
                kind = links if is_broken_link(entry) else others
            kind.append(displayed(place))
    notes = [
        f"{len(found)} {what} passed over: {listed(found)}"
        for found, what in (
            (others, "files or folders that are no frames are"),
            (leavings, "hidden files or leavings of operating systems are"),
        )
        if found
    ]
    return links, notes
