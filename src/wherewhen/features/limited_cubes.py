"""Cubes of some tracklets of a store: what is not to be seen can't be read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from numpy.typing import NDArray


class LimitedCubes:
    """A view of cubes that knows some of their tracklets, and all else that the store knows.

    Parameters
    ----------
    cubes
        A `CubeStore`, or anything that reads like one.
    tracklets
        The tracklets that may be read.
    """

    def __init__(self, cubes: Any, tracklets: Collection[str]) -> None:
        known = cubes.lengths
        self._cubes = cubes
        self.lengths: Mapping[str, int] = {name: known[name] for name in sorted(tracklets)}

    def read(self, tracklet: str, *arguments: Any, **options: Any) -> NDArray:
        """Read a window of frames; see `CubeStore.read`.

        Raises
        ------
        PermissionError
            If the tracklet is not one of those that may be read.
        """
        if tracklet not in self.lengths:
            raise PermissionError(
                f"tracklet {tracklet} is not among the {len(self.lengths)} that may be read here"
            )
        return self._cubes.read(tracklet, *arguments, **options)

    def __getattr__(self, name: str) -> Any:
        if name == "_cubes":  # asked before there is one: while a copy is made
            raise AttributeError(name)
        return getattr(self._cubes, name)
