"""Readers of feature cubes: one protocol, wherever cubes are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wherewhen.tracklets.sizes import Size
from wherewhen.tracklets.windows import Clip, Window


class CubeReader(ABC):
    """Base class of everything that cubes are read from.

    A subclass has `lengths` and `shape`, and defines ``_fill``.

    Attributes
    ----------
    lengths : mapping of str to int
        Frames of every tracklet.
    shape : tuple of int
        (H, W, D) of every cube.
    dtype : numpy.dtype
        Type of the activations.
    variants : int
        Versions of every frame; 0 is the plain one, the others are augmented.

    See Also
    --------
    ArrayCubes : Reads from arrays.
    wherewhen.features.cube_store.CubeStore : Reads from a disk.
    """

    lengths: Mapping[str, int]
    shape: tuple[int, int, int]
    dtype = np.dtype(np.float16)
    variants = 1

    @property
    def grid(self) -> Size:
        """Height and width in cells."""
        return self.shape[:2]

    @property
    def channels(self) -> int:
        """D, activations of a cell."""
        return self.shape[2]

    def length(self, tracklet: str) -> int:
        """Frames of a tracklet."""
        if tracklet not in self.lengths:
            raise KeyError(f"no cubes of a tracklet {tracklet} among {len(self.lengths)} tracklets")
        return self.lengths[tracklet]

    def is_stored(self, tracklet: str) -> bool:
        """Whether a tracklet's cubes are there, and need not be computed to be read."""
        return True

    def granule(self, tracklet: str) -> int:
        """Frames of a tracklet that are read at once, even if fewer are asked for."""
        return 1

    def whole(self, tracklet: str, variant: int = 0) -> Window:
        """Return the window of all frames of a tracklet."""
        return Window(tracklet, 0, self.length(tracklet), variant)

    def read(self, window: Clip) -> NDArray:
        """Read the cubes of a window, or of frames that are spread.

        Parameters
        ----------
        window
            May be empty.

        Returns
        -------
        ndarray
            A new array, shape [length, H, W, D].

        Raises
        ------
        KeyError
            If there is no such tracklet.
        IndexError
            If the window leaves the tracklet, or there is no such variant.
        """
        out = np.empty((max(0, window.length), *self.shape), self.dtype)
        self.read_into(window, out)
        return out

    def read_into(self, window: Clip, out: NDArray) -> None:
        """Read the cubes of a window, or of frames that are spread, into a buffer.

        Parameters
        ----------
        window
            As for `read`.
        out
            C-contiguous, shape [length, H, W, D], of the reader's type (the ``.numpy()`` of a
            pinned tensor serves).

        Raises
        ------
        KeyError, IndexError
            As `read` does.
        ValueError
            If the buffer does not fit.
        """
        self.require(window)
        shape = (window.length, *self.shape)
        if out.shape != shape or out.dtype != self.dtype or not out.flags.c_contiguous:
            raise ValueError(
                f"out: expected C-contiguous {self.dtype} {list(shape)}, got {out.dtype} "
                f"{list(out.shape)}"
            )
        if isinstance(window, Window):
            if out.size:
                self._fill(window, out)
            return
        for run, places in window.runs(self.granule(window.tracklet)):
            part, out = out[: len(places)], out[len(places) :]
            if run.length == len(places):
                self._fill(run, part)
            else:
                part[:] = self.read(run)[places]

    def require(self, window: Clip) -> None:
        """Raise the error of a window that can't be read."""
        tracklet, start, stop, variant = window.tracklet, window.start, window.stop, window.variant
        length = self.length(tracklet)
        if not 0 <= start <= stop <= length:
            raise IndexError(
                f"tracklet {tracklet}: frames {start} to {stop} were asked for, it has {length}"
            )
        if not 0 <= variant < self.variants:
            raise IndexError(
                f"tracklet {tracklet}: variant {variant} was asked for, there are "
                f"{self.variants}; the parameter extract.augmentation.variants says how many are "
                "made"
            )

    @abstractmethod
    def _fill(self, window: Window, out: NDArray) -> None:
        """Fill a buffer with the cubes of a window that is not empty; both are checked."""


class ArrayCubes(CubeReader):
    """Cubes in arrays.

    Parameters
    ----------
    cubes : mapping of str to array_like
        Of every tracklet, shape [length, H, W, D], or [variants, length, H, W, D] with the plain
        frames first; all of one type.

    Examples
    --------
    >>> import numpy as np
    >>> from wherewhen.tracklets.windows import Window
    >>> cubes = ArrayCubes({"a/p": np.arange(3, dtype=np.float16).reshape(3, 1, 1, 1)})
    >>> cubes.read(Window("a/p", 1, 3)).ravel().tolist()
    [1.0, 2.0]
    """

    def __init__(self, cubes: Mapping[str, ArrayLike]) -> None:
        arrays = {tracklet: np.asarray(array) for tracklet, array in cubes.items()}
        self._arrays = {t: array if array.ndim == 5 else array[None] for t, array in arrays.items()}
        self.lengths = {tracklet: array.shape[1] for tracklet, array in self._arrays.items()}
        forms = {(array.dtype, len(array), array.shape[2:]) for array in self._arrays.values()}
        if len(forms) != 1:
            raise ValueError(f"cubes: expected arrays of one type and shape, got {sorted(forms)}")
        ((self.dtype, self.variants, self.shape),) = forms

    def _fill(self, window: Window, out: NDArray) -> None:
        out[:] = self._arrays[window.tracklet][window.variant, window.start : window.stop]
