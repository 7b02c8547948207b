"""Frames of a tracklet from wherever a user has them: a folder, files, pictures in memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wherewhen.features.extraction import decode
from wherewhen.features.frames import require_frame
from wherewhen.tracklets.files import reason
from wherewhen.tracklets.folders import image_files
from wherewhen.tracklets.frame_numbers import in_order
from wherewhen.tracklets.picture_files import (
    PictureError,
    decode_picture,
    open_picture,
    orientation,
    read_content,
)

Frame = NDArray[np.uint8]
"""uint8 [H, W, 3], red first."""


def frames_in(tracklet: str | Path | Sequence[Any] | NDArray[np.uint8]) -> list[Frame]:
    """Return the frames of one tracklet.

    Parameters
    ----------
    tracklet
        A folder of crops of one person, or one picture; a sequence of pictures' paths, encoded
        pictures (bytes), arrays uint8 [H, W, 3] (red first) or Pillow images, in order; or one
        array uint8 [T, H, W, 3].

    Returns
    -------
    list of numpy.ndarray
        Each uint8 [H, W, 3].

    Raises
    ------
    FileNotFoundError
        If there is no such folder or picture, or no picture in it.
    ValueError
        If something is no frame, naming it: a file that can't be decoded, is animated, has another
        mode than RGB with 8 bits a channel, or is turned by its EXIF orientation; an array of
        another shape.
    """
    if isinstance(tracklet, str | Path):
        return [_read(path) for path in _files(Path(tracklet).expanduser())]
    if isinstance(tracklet, np.ndarray) and tracklet.ndim != 4:
        raise ValueError(
            f"a tracklet has shape {list(tracklet.shape)}: expected [frames, height, width, 3]"
        )
    frames = [_frame(each, f"frame {position}") for position, each in enumerate(tracklet)]
    if not frames:
        raise ValueError("a tracklet has no frame: expected at least one")
    return frames


def _files(path: Path) -> Iterable[Path]:
    """List a folder's pictures in the order of their frame numbers; or the one that is named."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is not there: expected a folder of crops, or a picture")
    names = image_files(path)
    if not names:
        raise FileNotFoundError(
            f"{path} has no pictures: expected crops of one person, .png, .jpg or .bmp"
        )
    return [path / name for name in in_order(names)]


def frame_of(content: bytes, most_pixels: float = math.inf) -> Frame:
    """Decode an encoded picture that nobody has looked at before.

    Parameters
    ----------
    content : bytes
        A PNG, JPEG or BMP file.
    most_pixels : float
        Of how many pixels it may be; the size is read from its header before it is decoded.

    Raises
    ------
    ValueError
        If it is no frame (see `frames_in`) or too large, saying why.
    """
    width, height = open_picture(content).size
    if width * height > most_pixels:
        raise PictureError(
            f"size {width}x{height}: {width * height:,} pixels, expected at most {most_pixels:,}: "
            "cut the person out"
        )
    image = decode_picture(content)
    if getattr(image, "is_animated", False):
        raise PictureError(f"it has {image.n_frames} pictures: send each by itself")
    if orientation(image, content) != 1:
        raise PictureError("its EXIF orientation turns it: save it upright")
    return np.array(image) if image.format != "JPEG" else decode(content)


def _frame(each: Any, name: str) -> Frame:
    if isinstance(each, str | Path):
        return _read(Path(each).expanduser())
    if isinstance(each, bytes):
        return _named(name, each)
    if not isinstance(each, np.ndarray) and hasattr(each, "convert"):  # Pillow's
        if each.mode != "RGB":
            raise ValueError(f"{name}: mode {each.mode}, expected RGB: convert it")
        each = np.asarray(each)
    require_frame(each, name)
    return each


def _read(path: Path) -> Frame:
    try:
        content = read_content(path)
    except (PictureError, OSError) as error:
        why = reason(error) if isinstance(error, OSError) else error
        raise ValueError(f"{path} is no frame: {why}") from error
    return _named(path, content)


def _named(name: str | Path, content: bytes) -> Frame:
    try:
        return frame_of(content)
    except ValueError as error:
        raise ValueError(f"{name} is no frame: {error}") from error
