"""Frames of a tracklet from wherever a user has them: a folder, files, pictures in memory."""

from __future__ import annotations

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
from wherewhen.tracklets.picture_files import PictureError, open_picture, orientation, read_content

Frame = NDArray[np.uint8]
"""uint8 [H, W, 3], red first."""


def frames_in(tracklet: str | Path | Sequence[Any] | NDArray[np.uint8]) -> list[Frame]:
    """Return the frames of one tracklet.

    Parameters
    ----------
    tracklet
        A folder of crops of one person, or one picture; a sequence of pictures' paths, arrays uint8
        [H, W, 3] (red first) or Pillow images, in order; or one array uint8 [T, H, W, 3].

    Returns
    -------
    list of numpy.ndarray
        Each uint8 [H, W, 3].

    Raises
    ------
    FileNotFoundError
        If there is no such folder or picture, or no picture in it.
    ValueError
        If something is no frame, naming it: a file that can't be decoded, has another mode than
        RGB with 8 bits a channel, or is turned by its EXIF orientation; an array of another shape.
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


def _frame(each: Any, name: str) -> Frame:
    if isinstance(each, str | Path):
        return _read(Path(each).expanduser())
    if not isinstance(each, np.ndarray) and hasattr(each, "convert"):  # Pillow's
        if each.mode != "RGB":
            raise ValueError(f"{name}: mode {each.mode}, expected RGB: convert it")
        each = np.asarray(each)
    require_frame(each, name)
    return each


def _read(path: Path) -> Frame:
    """Read a picture that nobody has looked at before."""
    try:
        return decoded(read_content(path))
    except (PictureError, OSError) as error:
        why = reason(error) if isinstance(error, OSError) else error
        raise ValueError(f"{path} is no frame: {why}") from error


def decoded(content: bytes) -> Frame:
    """Decode the content of a picture's file that nobody has looked at before.

    Parameters
    ----------
    content : bytes
        PNG, JPEG or BMP.

    Returns
    -------
    numpy.ndarray
        uint8 [H, W, 3], red first.

    Raises
    ------
    wherewhen.tracklets.picture_files.PictureError
        If it can't be decoded, has another mode than RGB with 8 bits a channel, or is turned by its
        EXIF orientation.
    """
    image = open_picture(content)
    if orientation(image, content) != 1:
        raise PictureError("its EXIF orientation turns it: save it upright")
    try:
        return decode(content)
    except (OSError, RuntimeError) as error:  # Pillow's and torchvision's
        raise PictureError(f"cannot be decoded: {str(error).splitlines()[0]}") from error
