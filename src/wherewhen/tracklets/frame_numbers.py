"""Frame numbers in file names, where a name may hold several numbers.

In ``0002_c1s1_000451_03.jpg`` the frame is 451: in a tracklet it rises from name to name, and the
last number, which counts detections, does not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePath

_NUMBER = re.compile(r"[0-9]+")


def rising_places(names: Sequence[str]) -> set[int]:
    """Find which numbers of the names rise strictly from name to name, in natural order.

    Parameters
    ----------
    names : sequence of str
        File names of one tracklet.

    Returns
    -------
    set of int
        Places counted from the end: -1 is the last number. Empty if there are fewer than two names,
        or if they differ in more than their numbers.

    Examples
    --------
    >>> rising_places(["c1_000451_03.jpg", "c1_000776_01.jpg", "c1_000801_02.jpg"])
    {-2}
    """
    stems = [PurePath(name).stem for name in names]
    if len(stems) < 2 or len({_NUMBER.sub("0", stem) for stem in stems}) > 1:
        return set()
    rows = sorted([int(digits) for digits in _NUMBER.findall(stem)] for stem in stems)
    width = len(rows[0])
    return {
        place - width
        for place in range(width)
        if all(before[place] < after[place] for before, after in pairwise(rows))
    }


def find_place(tracklets: Sequence[Sequence[str]]) -> tuple[int, str | None]:
    """Find the number of the names that counts the frames of a data set.

    Parameters
    ----------
    tracklets : sequence of sequences of str
        For each tracklet the file names of its frames.

    Returns
    -------
    place : int
        The number that rises in the most tracklets, counted from the end; of several the last.
    note : str or None
        A sentence for the report if another number might be meant.
    """
    rising = [(names, places) for names in tracklets if (places := rising_places(names))]
    votes = Counter(place for _, places in rising for place in places)
    place = max(votes, key=lambda place: (votes[place], place), default=-1)
    doubtful = [names for names, places in rising if place != -1 or place not in places]
    if not doubtful:
        return place, None
    name = doubtful[0][0]
    return place, (
        f"the frame number in {name} is taken to be {frame_number(name, place)}: among the "
        f"numbers of the names it rises in {votes[place]} of {len(rising)} tracklets, and the last "
        f"one in {votes[-1]}. If another number counts the frames, set the reader's option "
        "frame_pattern"
    )


def frame_number(name: str, place: int = -1, pattern: str | None = None) -> int | None:
    r"""Parse the frame number from a file's name.

    Parameters
    ----------
    name : str
        The file's name.
    place : int
        Which number of the name it is, counted from the end.
    pattern : str, optional
        A regular expression that is searched for in the name instead; the digits of its groups, put
        together, are the number.

    Returns
    -------
    int or None
        The number; None if the name has no such number.

    Examples
    --------
    >>> frame_number("cam1_person001_00317.png")
    317
    >>> frame_number("f451_x12.png", pattern=r"f(\d+)")
    451
    """
    if pattern is not None:
        match = re.search(pattern, name)
        digits = "".join(group or "" for group in match.groups()) if match else ""
        return int(digits) if _NUMBER.fullmatch(digits) else None
    numbers = _NUMBER.findall(PurePath(name).stem)
    return int(numbers[place]) if len(numbers) >= -place else None


def in_order(names: Sequence[str]) -> list[str]:
    """Sort the file names of one tracklet by their frame numbers; names without one come last.

    Examples
    --------
    >>> in_order(["f10.png", "f2.png"])
    ['f2.png', 'f10.png']
    """
    place, _ = find_place([names])
    numbers = {name: frame_number(name, place) for name in names}
    return sorted(names, key=lambda name: (numbers[name] is None, numbers[name] or 0, name))
