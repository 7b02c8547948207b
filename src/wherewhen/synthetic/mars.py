"""MARS's lists: tables of tracklets, the files of names they imply, and the queries.

The tables alone say everything but the pictures, so a MARS of the real size can be checked, lists
and counts and protocols, where its million of files is not.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wherewhen.synthetic.shots import DISTRACTOR, JUNK, PERSON, Shot

LABELS = {JUNK: -1, DISTRACTOR: 0}
"""MARS's pseudo-persons."""

_SEED = 20160808
"""Of what MARS's authors drew once and for all."""


def frame_names(tracks: np.ndarray) -> list[str]:
    """Return the name of every frame of a table of MARS.

    The files themselves are not needed: a name is person, camera, running number of the tracklet
    among the person's, and number of the frame in it.

    Parameters
    ----------
    tracks : numpy.ndarray
        int [tracklets, 4]: first and last row in the name file (from 1, both included), person,
        camera.

    Returns
    -------
    list of str
        The name file's lines, ``0001C1T0001F001.jpg``.
    """
    names: list[str] = []
    running: Counter[int] = Counter()
    for first, last, person, camera in tracks.tolist():
        running[person] += 1
        start = f"{_prefix(person)}C{camera}T{running[person]:04d}F"
        names += [f"{start}{number:03d}.jpg" for number in range(1, last - first + 2)]
    return names


def write_info(info: Path, train: np.ndarray, test: np.ndarray, query: np.ndarray) -> None:
    """Write MARS's five lists: its three tables and the name files that follow from them.

    Parameters
    ----------
    info : pathlib.Path
        The folder ``info``, made if it is not there.
    train, test : numpy.ndarray
        int [tracklets, 4], as for `frame_names`.
    query : numpy.ndarray
        int [queries]: rows of `test`, from 1.
    """
    from scipy.io import savemat

    info.mkdir(parents=True, exist_ok=True)
    tables = {"train": train, "test": test}
    for side, tracks in tables.items():
        content = {f"track_{side}_info": np.asarray(tracks, dtype=np.int32).reshape(-1, 4)}
        savemat(info / f"tracks_{side}_info.mat", content, do_compression=True)
        (info / f"{side}_name.txt").write_text("".join(f"{name}\n" for name in frame_names(tracks)))
    rows = np.asarray(query, dtype=np.uint16).reshape(1, -1)
    savemat(info / "query_IDX.mat", {"query_IDX": rows}, do_compression=True)


def derive_info(tables: Path | str, info: Path | str) -> None:
    """Complete the official ``.mat`` tables of MARS by the name files that they imply.

    Parameters
    ----------
    tables : path
        Folder of `tracks_train_info.mat`, `tracks_test_info.mat` and `query_IDX.mat`.
    info : path
        The folder ``info`` to write: the same tables, `train_name.txt` and `test_name.txt`.
    """
    from scipy.io import loadmat

    def load(file: str, variable: str) -> np.ndarray:
        return loadmat(Path(tables) / file)[variable]

    write_info(
        Path(info),
        load("tracks_train_info.mat", "track_train_info"),
        load("tracks_test_info.mat", "track_test_info"),
        load("query_IDX.mat", "query_IDX"),
    )


def places(shots: Sequence[Shot], camera_names: Sequence[str]) -> dict[str, list[str]]:
    """Return the path of every frame, by the tracklet's name in the plan."""
    paths = {}
    for side, chosen in _sides(shots).items():
        tracks = _tracks(chosen)
        names = frame_names(tracks)
        for shot, (first, last, person, _) in zip(chosen, tracks.tolist(), strict=True):
            folder = f"bbox_{side}/{_prefix(person)}"
            paths[shot.tracklet] = [f"{folder}/{name}" for name in names[first - 1 : last]]
    return paths


def write_lists(home: Path, shots: Sequence[Shot], camera_names: Sequence[str]) -> None:
    """Write the tables of a plan, its name files and its queries into the folder ``info``."""
    sides = _sides(shots)
    train, test = (_tracks(sides[side]) for side in ("train", "test"))
    write_info(home / "info", train, test, _draw_queries(sides["test"]))


def _prefix(person: int) -> str:
    """Format a person as four characters: 0001, 0000 and 00-1."""
    return f"{person:04d}" if person >= 0 else f"00{person}"


def _sides(shots: Sequence[Shot]) -> dict[str, list[Shot]]:
    """Split the shots as MARS's tables do: odd persons train; sorted by person, then camera."""
    sides: dict[str, list[Shot]] = {"train": [], "test": []}
    for shot in sorted(shots, key=lambda shot: (_label(shot), shot.camera, shot.take)):
        sides["train" if shot.kind == PERSON and shot.person % 2 else "test"].append(shot)
    return sides


def _label(shot: Shot) -> int:
    return LABELS.get(shot.kind, shot.person)


def _tracks(shots: Sequence[Shot]) -> np.ndarray:
    last = np.cumsum([shot.length for shot in shots], dtype=int)
    first = last - np.array([shot.length for shot in shots], dtype=int) + 1
    labels = [_label(shot) for shot in shots]
    return np.stack([first, last, labels, [shot.camera + 1 for shot in shots]], axis=1)


def _draw_queries(shots: Sequence[Shot]) -> np.ndarray:
    """Draw one query a person and camera among persons of two cameras, like the real list."""
    rows, cameras = defaultdict(list), defaultdict(set)
    for row, shot in enumerate(shots, start=1):
        if shot.kind == PERSON:
            rows[shot.person, shot.camera].append(row)
            cameras[shot.person].add(shot.camera)
    generator = np.random.default_rng(_SEED)
    drawn = [
        int(generator.choice(choices))
        for (person, _), choices in rows.items()
        if len(cameras[person]) > 1
    ]
    return np.array(sorted(drawn), dtype=np.uint16)
