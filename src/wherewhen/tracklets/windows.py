"""Windows: the clips by which each tracklet of a split is embedded, as one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from wherewhen.tracklets.clips import spread_windows, test_window


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


def as_clips(windows: pd.DataFrame) -> list[tuple[str, int, int]]:
    """Return windows as readers of cubes take them: tracklet, start and stop of each.

    Parameters
    ----------
    windows : pandas.DataFrame
        With the columns ``tracklet, start, stop``.
    """
    return list(windows[["tracklet", "start", "stop"]].itertuples(index=False, name=None))


def _windows(
    role: str, length: int, limit: int | None, clips: int, clip_frames: int
) -> list[tuple[int, int]]:
    if role != "train":
        return [test_window(length, limit, role)]
    return [
        (start, min(start + clip_frames, length))
        for start in spread_windows(length, clip_frames, clips)
    ]
