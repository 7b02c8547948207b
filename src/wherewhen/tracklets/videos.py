"""Videos: their pictures, upright and one after the other, and when each is shown.

PyAV decodes them; it is imported by the functions that need it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wherewhen.tracklets.files import displayed, open_regular
from wherewhen.tracklets.ingest import IngestError, unreadable
from wherewhen.tracklets.picture_files import PictureError, check_size

VARIABLE = 0.1
"""Share of the usual time between two pictures by which others differ in a video of variable frame
rate; clocks of containers round by less."""

CONTAINERS = (
    *("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "mpegts", "mpeg", "mpegvideo", "m4v"),
    *("h264", "hevc", "vvc", "av1", "obu", "ivf", "mjpeg", "mpjpeg", "asf", "flv", "live_flv"),
    *("ogg", "mxf", "dv", "yuv4mpegpipe", "dhav", "vc1", "nut", "rm", "wtv", "gxf"),
)
"""FFmpeg's names of the formats that are read. Others may be lists that let it open other files."""

_TURNS = {
    (1, 0, 0, 1): None,
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}
"""Pillow's transposition for a display matrix (a, b, c, d): x' = ax + cy, y' = bx + dy."""


def require_av(what: str) -> None:
    """Raise an `IngestError` that begins with `what` if PyAV is not installed."""
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise IngestError(
            f"{what}, and PyAV, which decodes them, is not installed: install the package av (`uv "
            "pip install av`), or cut the videos into pictures"
        ) from error


def video_pictures(
    path: Path, numbers: Sequence[int] | None = None
) -> Iterator[tuple[int, Image.Image | None]]:
    """Decode a video from its beginning, one picture in memory at a time.

    Parameters
    ----------
    path : pathlib.Path
        The video.
    numbers : sequence of int, optional
        The pictures that are wanted, rising, from 0; the video is decoded up to the last of them.
        None: all.

    Yields
    ------
    number : int
        Of every picture that is passed.
    picture : PIL.Image.Image or None
        As players show it, of mode RGB; None if it is not wanted.

    Raises
    ------
    ValueError, OSError
        If it is no video, or broken: what PyAV raises differs by format.
    """
    wanted = None if numbers is None else set(numbers)
    with _opened(path) as (container, stream):
        for number, picture in enumerate(container.decode(stream)):
            yield number, _upright(picture) if wanted is None or number in wanted else None
            if numbers is not None and number >= numbers[-1]:
                return


def picture_times(path: Path) -> NDArray[np.float64]:
    """Read when each picture of a video is shown, in seconds from the first one, without decoding.

    Parameters
    ----------
    path : pathlib.Path
        The video.

    Returns
    -------
    numpy.ndarray, float64 [pictures]
        Rising from 0: by the container's clock, or by the frame rate where it has none.

    Raises
    ------
    IngestError
        If it is no video, or broken.
    """
    try:
        with _opened(path) as (container, stream):
            shown = [packet.pts for packet in container.demux(stream) if packet.size]
            rate, unit = stream.average_rate or stream.guessed_rate, stream.time_base
        if None in shown and not rate:
            raise ValueError("it has neither times nor a frame rate")
    except Exception as error:  # what PyAV raises on broken bytes differs by format
        why = why_unreadable(path, error)
        raise IngestError(f"{displayed(path)}: {why}. Expected a video") from error
    if None in shown:
        return np.arange(len(shown)) / float(rate)
    times = np.sort(np.array(shown, np.float64)) * float(unit)
    return times - times[:1]


def why_unreadable(source: Path, error: Exception) -> str:
    """Say why a picture or video can't be read or decoded, without its path."""
    # errors of PyAV are subclasses of OSError, too
    if isinstance(error, OSError) and not type(error).__module__.startswith("av"):
        return unreadable(source, error)
    if isinstance(error, PictureError):
        return str(error)
    cause = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"cannot be decoded: {cause}"


def varies(times: NDArray[np.float64]) -> bool:
    """Whether pictures follow each other at a variable rate.

    Examples
    --------
    >>> varies(np.array([0, 0.04, 0.08, 0.121])), varies(np.array([0, 0.04, 0.08, 0.16]))
    (False, True)
    """
    steps = np.diff(times)
    return bool(len(steps)) and bool(np.ptp(steps) > VARIABLE * np.median(steps))


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a video, and find its stream of pictures."""
    import av

    open_regular(path).close()  # a pipe would be waited for
    try:
        container = av.open(f"file:{path}", options={"format_whitelist": ",".join(CONTAINERS)})
    except av.error.ArgumentError as error:
        raise ValueError("it is text, a list of other files, or of no known format") from error
    with container:
        if not container.streams.video:
            raise ValueError("it has no video stream")
        stream = container.streams.video[0]
        check_size(stream.width, stream.height)
        yield container, stream


def _upright(picture: Any) -> Image.Image:
    """Convert a video's picture as players show it: turned or mirrored by its display matrix."""
    image = picture.to_image()
    for data in picture.side_data:
        if data.type.name == "DISPLAYMATRIX":
            a, b, _, c, d, *_ = np.frombuffer(bytes(data), np.int32) / 2**16
            matrix = tuple(round(value) for value in (a, b, c, d))
            if matrix not in _TURNS or max(abs(np.subtract(matrix, (a, b, c, d)))) > 0.01:
                raise ValueError(
                    f"its pictures are turned by {picture.rotation} degrees, expected a multiple "
                    "of 90: convert it"
                )
            image = image if _TURNS[matrix] is None else image.transpose(_TURNS[matrix])
    return image
