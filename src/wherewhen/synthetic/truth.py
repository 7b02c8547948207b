"""What rendering knows of every frame: which pixels show the person, and what hides them.

Kept for each pixel, so that the shares of any grid's cells follow without rendering again: a file a
tracklet, compressed to a few per cent of its pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

FOLDER = "truth"
"""The folder in a rendered set that holds a file for each tracklet."""

FULL = 255
"""The value of a pixel that is covered whole."""


@dataclass(frozen=True)
class Truth:
    """What covers the pixels of a tracklet, by layer, from 0 to `FULL`.

    Shutter included; not the lens's blur, which moves less than a pixel, and not what a small
    picture loses: crops are enlarged to where they were.

    Attributes
    ----------
    person : numpy.ndarray
        The person, also where something hides them, uint8 [frames, height, width].
    front : numpy.ndarray or None
        The occluder, such as a post or another walker, uint8 of the same shape; None if nothing
        passes in front.
    """

    person: np.ndarray
    front: np.ndarray | None

    @classmethod
    def of(cls, person: np.ndarray, front: np.ndarray | None) -> Truth:
        """Return the truth of two layers' coverage (0 to 1), float32 [frames, height, width]."""
        return cls(_in_steps(person), None if front is None else _in_steps(front))

    @property
    def occluder(self) -> np.ndarray:
        """Share of each pixel that the occluder covers, float32 [frames, height, width]."""
        if self.front is None:
            return np.zeros(self.person.shape, dtype=np.float32)
        return self.front.astype(np.float32) / FULL

    @property
    def visible(self) -> np.ndarray:
        """Share of each pixel that shows the person, float32 [frames, height, width]."""
        person = self.person.astype(np.float32) / FULL
        return person if self.front is None else person * (1 - self.occluder)

    @property
    def visible_share(self) -> np.ndarray:
        """How much of the person is visible, of what the crop would show without the occluder.

        float64 [frames], from 0 to 1; NaN where the crop shows nobody.

        Examples
        --------
        >>> person = np.array([[[1.0, 1.0, 0.0]]])
        >>> Truth.of(person, np.array([[[1.0, 0.0, 0.0]]])).visible_share
        array([0.5])
        """
        whole = self.person.sum(axis=(1, 2), dtype=np.int64)
        clear = FULL if self.front is None else FULL - self.front.astype(np.int64)
        shown = (self.person.astype(np.int64) * clear).sum(axis=(1, 2)) / FULL
        return np.divide(shown, whole, out=np.full(len(whole), np.nan), where=whole > 0)

    def write(self, path: Path) -> None:
        """Write the truth into a file, compressed."""
        layers = {"person": self.person, "front": self.front}
        with path.open("wb") as file:
            np.savez_compressed(file, **{k: v for k, v in layers.items() if v is not None})

    @classmethod
    def read(cls, path: Path) -> Truth:
        """Read what `write` wrote."""
        with np.load(path) as layers:
            return cls(layers["person"], layers.get("front"))


def truth_file(home: Path, first: str) -> Path:
    """Return where the truth of a tracklet lies.

    Parameters
    ----------
    home : pathlib.Path
        The rendered set's folder.
    first : str
        The tracklet's first frame, as its layout places it.

    Returns
    -------
    pathlib.Path
        Named by the path without its topmost folder, which readers may leave out.

    See Also
    --------
    find_truth : The other way, from a path that a reader gave.
    """
    return _file(home, PurePosixPath(first).parts[1:])


def find_truth(home: Path, first: str) -> Path | None:
    """Find the truth of a tracklet by its first frame's path, as the layout's reader gives it.

    Parameters
    ----------
    home : pathlib.Path
        The rendered set's folder.
    first : str
        The first frame, relative to whatever folder: the set's, one in it, or that of an archive.

    Returns
    -------
    pathlib.Path or None
        The file; None if there is none.
    """
    parts = PurePosixPath(first).parts
    files = (_file(home, parts[start:]) for start in range(len(parts)))
    return next((file for file in files if file.is_file()), None)


def read_truths(read_from: Path, firsts: Mapping[str, tuple[str, int]]) -> dict[str, Truth]:
    """Read the truth of tracklets of a rendered set.

    Parameters
    ----------
    read_from : pathlib.Path
        What the reader was pointed at: the set's folder, or a folder or an archive in it.
    firsts : mapping of str to (str, int)
        By tracklet: the path of its first frame, as the reader gave it, and its number of frames.

    Returns
    -------
    dict of str to Truth
        By tracklet.

    Raises
    ------
    FileNotFoundError
        If the set, or a tracklet of it, has no truth.
    ValueError
        If a truth has another number of frames than its tracklet.
    """
    homes = (read_from, *read_from.parents)
    home = next((folder for folder in homes if (folder / FOLDER).is_dir()), read_from)
    truths = {}
    for tracklet, (first, frames) in firsts.items():
        file = find_truth(home, first)
        if file is None:
            raise FileNotFoundError(
                f"no truth of tracklet {tracklet} ({first}) in {home / FOLDER}: expected a "
                "rendered set; run the stage synthesise, which completes it"
            )
        truths[tracklet] = truth = Truth.read(file)
        if len(truth.person) != frames:
            raise ValueError(
                f"{file} has {len(truth.person)} frames, but tracklet {tracklet} has {frames}: "
                "expected all frames that were rendered; read the set without leaving any out"
            )
    return truths


def _file(home: Path, parts: tuple[str, ...]) -> Path:
    # One folder without subfolders: in others, readers would look for frames.
    return home / FOLDER / f"{PurePosixPath('_'.join(parts)).stem}.npz"


def _in_steps(coverage: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(coverage, 0, 1) * FULL).astype(np.uint8)
