"""Read frames of tracklets as arrays, for figures and for hand-crafted features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from wherewhen.tracklets.picture_files import read_picture


class TrackletPictures:
    """Reads frames of tracklets as arrays.

    Parameters
    ----------
    root : pathlib.Path
        The data set's folder.
    frames : pandas.DataFrame
        The frames table; its paths are relative to `root`.
    """

    def __init__(self, root: Path, frames: pd.DataFrame) -> None:
        self._root = root
        self._paths = {
            tracklet: rows.sort_values("position").path.to_list()
            for tracklet, rows in frames.groupby("tracklet")
        }

    def clip(self, tracklet: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return frames `start` to `stop` (excluded; None: to the end), uint8 [n, H, W, 3].

        All are resized to the size of the first.
        """
        images = [self._open(path) for path in self._paths[tracklet][start:stop]]
        return np.stack([np.asarray(image.resize(images[0].size)) for image in images])

    def middle(self, tracklet: str) -> np.ndarray:
        """Return the frame in the middle, uint8 [H, W, 3]."""
        centre = len(self._paths[tracklet]) // 2
        return self.clip(tracklet, centre, centre + 1)[0]

    def _open(self, path: str) -> Image.Image:
        return read_picture(self._root / path)
