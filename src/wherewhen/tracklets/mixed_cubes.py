"""Cubes of tracklets in which a run of frames is somebody else's."""

from __future__ import annotations

from collections.abc import Mapping

from numpy.typing import NDArray

from wherewhen.tracklets.cubes import CubeReader
from wherewhen.tracklets.windows import Window


class MixedCubes(CubeReader):
    """Reads another reader's cubes, with runs of frames replaced.

    Parameters
    ----------
    cubes : CubeReader
        The cubes.
    replaced : mapping of str to (Window, int)
        By tracklet: the frames that come in, and the position of the first that they replace.

    Examples
    --------
    >>> import numpy as np
    >>> from wherewhen.tracklets.cubes import ArrayCubes
    >>> frames = {"a": np.zeros((4, 1, 1, 1)), "b": np.arange(1.0, 4).reshape(3, 1, 1, 1)}
    >>> mixed = MixedCubes(ArrayCubes(frames), {"a": (Window("b", 1, 3), 1)})
    >>> mixed.read(Window("a", 0, 4)).ravel().tolist()
    [0.0, 2.0, 3.0, 0.0]
    """

    def __init__(self, cubes: CubeReader, replaced: Mapping[str, tuple[Window, int]]) -> None:
        self._cubes = cubes
        self._replaced = replaced
        self.lengths, self.shape = cubes.lengths, cubes.shape
        self.dtype, self.variants = cubes.dtype, cubes.variants

    def is_stored(self, tracklet: str) -> bool:
        """Whether the tracklet's own cubes are there."""
        return self._cubes.is_stored(tracklet)

    def granule(self, tracklet: str) -> int:
        """Frames that are read at once."""
        return self._cubes.granule(tracklet)

    def _fill(self, window: Window, out: NDArray) -> None:
        self._cubes.read_into(window, out)
        if window.tracklet not in self._replaced:
            return
        others, at = self._replaced[window.tracklet]
        first, last = max(window.start, at), min(window.stop, at + others.length)
        if first < last:
            start = others.start + first - at
            run = Window(others.tracklet, start, start + last - first, window.variant)
            out[first - window.start : last - window.start] = self._cubes.read(run)
