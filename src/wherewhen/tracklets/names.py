"""Names of persons, cameras and tracklets: which are allowed, and which look alike."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import quote

from wherewhen.tracklets.files import is_text

LONGEST_NAME = 200
"""Characters of one part of a tracklet's name as the name of a file of cubes; file systems stop at
255 bytes, suffixes included."""

DEVICES = frozenset(
    {
        "con",
        "prn",
        "aux",
        "nul",
        *(f"{port}{place}" for port in ("com", "lpt") for place in range(10)),
    }
)
"""Names that Windows keeps for devices, in lower case: no file can have them there."""

NOT_TEXT = "its name is not UTF-8, so tables and JSON can't hold it: rename it"


def normalised(name: str) -> str:
    r"""Return a name in Unicode's composed form (NFC), in which equal names have equal characters.

    macOS decomposes the names of files, other systems do not.

    Examples
    --------
    >>> normalised("Rene\u0301") == "Ren\u00e9"
    True
    """
    return unicodedata.normalize("NFC", name)


def look_alike(names: Iterable[str]) -> list[str]:
    """Find different names that probably mean the same: ``0001`` and ``1``, ``Ann`` and ``ann``.

    Examples
    --------
    >>> look_alike(["0001", "1", "1.0", "Ann", "ann ", "bert"])
    ['0001, 1, 1.0', 'Ann, ann ']
    """
    groups: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        groups.setdefault(_key(name), []).append(name)
    return [", ".join(group) for group in groups.values() if len(group) > 1]


def _key(name: str) -> str:
    folded = unicodedata.normalize("NFKC", name).casefold().strip()
    folded = re.sub(r"^([0-9]+)\.0+$", r"\1", folded)
    return re.sub(r"[0-9]+", lambda digits: digits[0].lstrip("0") or "0", folded)


def file_name(part: str) -> str:
    """Write a part of a tracklet's name as the name of a file; `urllib.parse.unquote` reads it.

    Without dots, it meets no suffix of other files.

    Examples
    --------
    >>> file_name("person 1.b")
    'person%201%2Eb'
    """
    if part.lower() in DEVICES:
        return f"%{ord(part[0]):02X}{part[1:]}"
    return quote(part, safe="").replace(".", "%2E")


def _is_control(letter: str) -> bool:
    """Whether a letter ends a line, or changes how those behind it are shown."""
    return unicodedata.category(letter) in ("Cc", "Zl", "Zp") or unicodedata.bidirectional(
        letter
    ) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def control_fault(name: str) -> str | None:
    r"""Return why a person, camera or tracklet can't have a name with control characters, or None.

    Examples
    --------
    >>> control_fault("anna"), control_fault("an\u202ena")
    (None, "'an\\u202ena' has the control character U+202E: rename it")
    """
    found = next((letter for letter in name if _is_control(letter)), None)
    if found is None:
        return None
    return f"{name[:80]!a} has the control character U+{ord(found):04X}: rename it"


def name_fault(name: str) -> str | None:
    """Return why a tracklet can't have a name, or None if it can.

    The parts between slashes become names of files.

    Examples
    --------
    >>> name_fault("cam_a/person_0001") is None
    True
    """
    if not is_text(name):
        return NOT_TEXT
    if (fault := control_fault(name)) is not None:
        return fault
    longest = max(len(file_name(part)) for part in name.split("/"))
    if longest <= LONGEST_NAME:
        return None
    return (
        f"a part of its name takes {longest} characters, expected at most {LONGEST_NAME}, where a "
        "sign or space takes three and a letter beyond a-z six or more: rename it"
    )
