"""Pictures that somebody uploads as a probe: bounded, decoded in memory, refused with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from wherewhen.recogniser.frames import Frame, frame_of
from wherewhen.tracklets.files import displayed
from wherewhen.tracklets.frame_numbers import in_order
from wherewhen.tracklets.picture_files import PictureError

MOST = 32
"""Pictures of an upload."""

LARGEST = 4 * 2**20
"""Bytes of a picture's file."""

LARGEST_IN_ALL = 32 * 2**20
"""Bytes of an upload."""

PIXELS = 2_000_000
"""Pixels of a picture: it should be a crop of one person."""


class UploadError(ValueError):
    """Pictures that can't be a probe."""


def frames_of(files: Sequence[tuple[str, bytes]]) -> list[Frame]:
    """Decode uploaded pictures, in the order of the numbers in their names.

    Parameters
    ----------
    files : sequence of (str, bytes)
        Name, which is only shown, and content of each.

    Returns
    -------
    list of numpy.ndarray
        Each uint8 [H, W, 3].

    Raises
    ------
    UploadError
        If there are none, too many or too large ones, or one is no frame; it names the picture.
    """
    if not 0 < len(files) <= MOST:
        raise UploadError(f"{len(files)} pictures: expected 1 to {MOST}, crops of one person")
    total = sum(len(content) for _, content in files)
    if total > LARGEST_IN_ALL:
        raise UploadError(f"{total:,} bytes in all: expected at most {LARGEST_IN_ALL:,}")
    order = {name: place for place, name in enumerate(in_order([name for name, _ in files]))}
    ordered = sorted(files, key=lambda file: order[file[0]])
    return [_frame(displayed(PurePath(name).name), content) for name, content in ordered]


def _frame(name: str, content: bytes) -> Frame:
    if len(content) > LARGEST:
        raise UploadError(f"{name} has {len(content):,} bytes: expected at most {LARGEST:,}")
    try:
        return frame_of(content, PIXELS)
    except PictureError as error:
        raise UploadError(f"{name} is no frame: {error}") from error
