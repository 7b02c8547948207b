"""Reporting: what must hold of a clip before it is drawn."""

import numpy as np

_TOLERANCE = 1e-2  # of a sum that must be 1, wide enough for float16


def check_clip(name: str, frames: np.ndarray, of_frames: dict[str, np.ndarray]) -> None:
    """Refuse a clip without pictures, or with another number of something else.

    Parameters
    ----------
    name : str
        What messages call the clip.
    frames : numpy.ndarray
        To be uint8 [n, H, W, 3] with n of 1 or more.
    of_frames : dict
        Arrays by their name, to have n entries each.

    Raises
    ------
    ValueError
        Names the clip and what does not fit.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3:
        raise ValueError(
            f"{name}: frames must be uint8 [n, H, W, 3], got {frames.dtype} {list(frames.shape)}."
        )
    if len(frames) == 0:
        raise ValueError(f"{name}: expected at least one frame, got none.")
    for field, array in of_frames.items():
        if len(array) != len(frames):
            raise ValueError(
                f"{name}: {field} has {len(array)} entries for {len(frames)} frames; expected one "
                "a frame."
            )


def check_sums(name: str, what: str, sums: np.ndarray) -> None:
    """Refuse weights that do not sum to 1.

    Parameters
    ----------
    name, what : str
        What messages call the clip, and the weights.
    sums : numpy.ndarray
        [m], each to be 1.

    Raises
    ------
    ValueError
        With the sum that is farthest off.
    """
    if not np.allclose(sums, 1, atol=_TOLERANCE):
        worst = sums[np.argmax(np.abs(sums - 1))]
        raise ValueError(f"{name}: {what} must sum to 1, found a sum of {worst:.3g}.")
