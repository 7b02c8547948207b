"""Windows of tracklets, and the table of those by which a split's tracklets are embedded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wherewhen.tracklets.clips import spread_windows, test_window


class Window(NamedTuple):
    """Consecutive frames of a tracklet, in one of their variants.

    Attributes
    ----------
    tracklet : str
        Name of the tracklet.
    start, stop : int
        Position of the first frame, and of the one after the last.
    variant : int
        Version of the frames: 0 is the plain one, the others are augmented.

    Examples
    --------
    >>> str(Window("cam_a/person_0001", 4, 10)), str(Window("cam_a/person_0001", 4, 10, variant=2))
    ('cam_a/person_0001[4:10]', 'cam_a/person_0001[4:10] variant 2')
    """

    tracklet: str
    start: int
    stop: int
    variant: int = 0

    @property
    def length(self) -> int:
        """Number of frames."""
        return self.stop - self.start

    @property
    def positions(self) -> range:
        """Position of every frame."""
        return range(self.start, self.stop)

    def first(self, count: int) -> Window:
        """Return the first frames, no more than there are."""
        return self._replace(stop=min(self.stop, self.start + count))

    def __str__(self) -> str:
        variant = f" variant {self.variant}" if self.variant else ""
        return f"{self.tracklet}[{self.start}:{self.stop}]{variant}"


class SpreadFrames(NamedTuple):
    """Frames of a tracklet that need not be neighbours, in one of their variants.

    Attributes
    ----------
    tracklet : str
        Name of the tracklet.
    positions : tuple of int
        Position of every frame, at least one, increasing.
    variant : int
        Version of the frames: 0 is the plain one, the others are augmented.

    Examples
    --------
    >>> frames = SpreadFrames("a/p", (0, 3, 4, 9))
    >>> str(frames), [str(window) for window, _ in frames.runs()]
    ('a/p[0:10] (4 frames)', ['a/p[0:1]', 'a/p[3:5]', 'a/p[9:10]'])

    See Also
    --------
    Window : Consecutive frames.
    """

    tracklet: str
    positions: tuple[int, ...]
    variant: int = 0

    @property
    def start(self) -> int:
        """Position of the first frame."""
        return self.positions[0]

    @property
    def stop(self) -> int:
        """Position after the last frame."""
        return self.positions[-1] + 1

    @property
    def length(self) -> int:
        """Number of frames."""
        return len(self.positions)

    def first(self, count: int) -> SpreadFrames:
        """Return the first frames, no more than there are."""
        return self._replace(positions=self.positions[:count])

    def runs(self, gap: int = 1) -> Iterator[tuple[Window, NDArray[np.int64]]]:
        """Yield windows that hold the frames, and the frames' places in each.

        Parameters
        ----------
        gap : int
            Frames that are no farther apart share a window; 1 for windows without other frames.

        Raises
        ------
        ValueError
            If the positions don't increase.
        """
        positions = np.array(self.positions)
        apart = np.diff(positions)
        if (apart < 1).any():
            raise ValueError(f"{self}: expected increasing positions, got {self.positions}")
        for run in np.split(positions, np.flatnonzero(apart > gap) + 1):
            first, last = int(run[0]), int(run[-1])
            yield Window(self.tracklet, first, last + 1, self.variant), run - first

    def __str__(self) -> str:
        window = Window(self.tracklet, self.start, self.stop, self.variant)
        return f"{window} ({self.length} frames)"


Clip = Window | SpreadFrames
"""Frames of a tracklet."""


def embedding_windows(
    split: pd.DataFrame,
    lengths: Mapping[str, int],
    limit: int | None = 128,
    clips: int = 4,
    clip_frames: int = 20,
) -> pd.DataFrame:
    """Choose the windows of all tracklets of one trial.

    A test tracklet gets one window, by the test protocol (Section V-C). A training tracklet gets
    several short ones: they are the samples from which a metric is learned, and one a tracklet
    would leave fewer samples than dimensions (decision 28).

    Parameters
    ----------
    split : pandas.DataFrame
        Rows of one trial of the splits table.
    lengths : mapping of str to int
        Frames in each tracklet.
    limit : int or None
        The most frames of a test tracklet; None for all.
    clips : int
        Clips of a training tracklet; fewer where it has no more windows.
    clip_frames : int
        Frames of such a clip; fewer where the tracklet is shorter.

    Returns
    -------
    pandas.DataFrame
        Columns ``trial, tracklet, person, camera, role, clip, start, stop``; rows in the order of
        `split`.
    """
    rows = [
        {
            "trial": row.trial,
            "tracklet": row.tracklet,
            "person": row.person,
            "camera": row.camera,
            "role": row.role,
            "clip": clip,
            "start": int(start),
            "stop": int(stop),
        }
        for row in split.itertuples(index=False)
        for clip, (start, stop) in enumerate(
            _windows(row.role, lengths[row.tracklet], limit, clips, clip_frames)
        )
    ]
    return pd.DataFrame(rows)


def windows_by_length(
    split: pd.DataFrame, lengths: Mapping[str, int], limits: Sequence[int]
) -> pd.DataFrame:
    """Choose the windows of the test tracklets once for each of several limits (Section V-D.3).

    Parameters
    ----------
    split : pandas.DataFrame
        Rows of one trial of the splits table; training tracklets are left out.
    lengths : mapping of str to int
        Frames in each tracklet.
    limits : sequence of int
        The most frames of a tracklet. A shorter tracklet gives all that it has.

    Returns
    -------
    pandas.DataFrame
        As `embedding_windows` returns them, with the column ``frames``, the limit, in front.
    """
    tested = split[split.role != "train"]
    tables = []
    for limit in limits:
        windows = embedding_windows(tested, lengths, limit)
        windows.insert(0, "frames", limit)
        tables.append(windows)
    return pd.concat(tables, ignore_index=True)


def as_windows(table: pd.DataFrame) -> list[Window]:
    """Return the plain window of every row of a table.

    Parameters
    ----------
    table : pandas.DataFrame
        With the columns ``tracklet, start, stop``.
    """
    rows = table[["tracklet", "start", "stop"]].itertuples(index=False, name=None)
    return [Window(*row) for row in rows]


def _windows(
    role: str, length: int, limit: int | None, clips: int, clip_frames: int
) -> list[tuple[int, int]]:
    if role != "train":
        return [test_window(length, limit, role)]
    return [
        (start, min(start + clip_frames, length))
        for start in spread_windows(length, clip_frames, clips)
    ]
