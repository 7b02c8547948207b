"""Decode picture files, or say why one can't be a frame.

The format follows from a file's first bytes, not from its name, and is one of `FORMATS`: by itself,
Pillow would try all formats and call Ghostscript for PostScript. Size and mode are checked before
any pixel is decoded.
"""

from __future__ import annotations

import io
import os
from collections.abc import Collection
from pathlib import Path

from PIL import ExifTags, Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from wherewhen.tracklets.files import displayed, open_regular, reason

FORMATS = {
    "PNG": (b"\x89PNG\r\n\x1a\n", PngImageFile),
    "JPEG": (b"\xff\xd8\xff", JpegImageFile),
    "BMP": (b"BM", BmpImageFile),
}
"""The formats that are decoded: first bytes, and Pillow's class."""

MODE = "RGB"
"""The mode that a frame must have, unless conversion is asked for."""

CONVERTIBLE = (MODE, "L", "LA", "RGBA", "P", "1")
"""Modes that can be converted to `MODE`, as the extraction does: gray, colours of a palette, and an
alpha channel, which is dropped."""

LARGEST_PICTURE = 50_000_000
"""Pixels of the largest picture that is decoded: 150 MB, more than any surveillance camera has."""

MOST_SCANS = 100
"""Scans of a JPEG. Ten are usual in a progressive one; a few bytes let a decoder go through the
whole picture once more, so that a small file could keep it busy for minutes."""

_SCAN = b"\xff\xda"
"""The marker before a scan; inside one, a zero follows every such first byte."""

_LARGEST_FILE = 4 * LARGEST_PICTURE + 2**20
"""Bytes of the largest file that is read: that picture without compression, and its header."""

_OTHERS = (
    (0, b"GIF8", "a GIF"),
    (0, b"II*\0", "a TIFF"),
    (0, b"MM\0*", "a TIFF"),
    (8, b"WEBP", "a WebP"),
    (0, b"%!PS", "PostScript"),
    (0, b"\xc5\xd0\xd3\xc6", "PostScript"),
    (0, b"%PDF", "a PDF"),
    (4, b"ftypheic", "a HEIC"),
    (4, b"ftypheix", "a HEIC"),
    (4, b"ftypmif1", "a HEIF"),
    (4, b"ftypavif", "an AVIF"),
    (4, b"ftyp", "a video (MP4)"),
    (4, b"jP  ", "a JPEG 2000"),
    (0, b"\xffO\xffQ", "a JPEG 2000"),
    (4, b"JXL ", "a JPEG XL"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"P5", "a PGM"),
    (0, b"P6", "a PPM"),
    (0, b"\0\0\1\0", "an icon"),
    (0, b"<", "HTML, XML or SVG"),
    (0, b"PK\3\4", "a zip archive"),
    (0, b"version https://git-lfs", "a Git LFS pointer, of which the content was not fetched"),
)
"""What a file may be instead: where, which bytes, and its name for a message."""


class PictureError(ValueError):
    """A picture that is no frame; the message says why, without the file."""


def read_content(path: str | Path) -> bytes:
    """Read a picture's file.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.

    Returns
    -------
    bytes
        All of it.

    Raises
    ------
    OSError
        If it can't be read, or is no regular file.
    PictureError
        If it is empty, or larger than any picture that is decoded.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > _LARGEST_FILE:
            raise PictureError(
                f"cannot be decoded: a file of {size:,} bytes, and at most {_LARGEST_FILE:,} are "
                "read"
            )
        content = file.read()
    if not content:
        raise PictureError("empty file")
    return content


def open_picture(content: bytes, modes: Collection[str] | None = (MODE,)) -> Image.Image:
    """Look at a picture's header; its pixels are decoded when they are asked for.

    Parameters
    ----------
    content : bytes
        The file.
    modes : collection of str, optional
        Pillow's modes that are accepted, with at most 8 bits a channel; None accepts all.

    Returns
    -------
    PIL.Image.Image
        Of at most `LARGEST_PICTURE` pixels.

    Raises
    ------
    PictureError
        If it is of no format of `FORMATS`, damaged, too large, of too many scans, or of another
        mode or depth.
    """
    image = _header(content)
    check_size(*image.size)
    if image.format == "JPEG" and (scans := content.count(_SCAN)) > MOST_SCANS:
        raise PictureError(f"{scans:,} scans, and at most {MOST_SCANS} are decoded: save it anew")
    if modes is None:
        return image
    if image.mode not in modes:
        raise PictureError(f"mode {image.mode}, expected {', '.join(modes)}")
    if image.format == "PNG" and content[12:16] == b"IHDR" and content[24] > 8:
        # Pillow drops the lower half of such a colour without an error
        raise PictureError(
            f"mode {image.mode} with {content[24]} bits a channel, expected 8: convert it"
        )
    return image


def orientation(image: Image.Image, content: bytes) -> int:
    """Return a picture's EXIF orientation: 1 for upright, 2 to 8 for turned or mirrored.

    Parameters
    ----------
    image : PIL.Image.Image
        As from `open_picture`.
    content : bytes
        Its file.

    See Also
    --------
    PIL.ImageOps.exif_transpose : Turns the pixels upright.
    """
    # Pillow decodes a PNG to the end to find out that it has none
    marks = (b"eXIf", b"exif", b"tiff:Orientation")
    if image.format == "BMP" or (
        image.format == "PNG" and not any(mark in content for mark in marks)
    ):
        return 1
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # by the kind of damage; viewers ignore broken EXIF data, too
        return 1
    return value if value in range(2, 9) else 1


def is_video(path: str | Path) -> bool:
    """Whether a file that exists is no picture by its first bytes, and so may be a video."""
    try:
        with open_regular(path) as file:
            start = file.read(16)
    except (OSError, ValueError):
        return False
    return bool(start) and _format(start) is None and "video" in _other(start, "video")


def check_size(width: int, height: int) -> None:
    """Raise a `PictureError` for more than `LARGEST_PICTURE` pixels."""
    if width * height > LARGEST_PICTURE:
        raise PictureError(
            f"size {width}x{height}: {width * height:,} pixels, and at most {LARGEST_PICTURE:,} "
            "are decoded: scale or cut it"
        )


def decode_picture(content: bytes, modes: Collection[str] | None = (MODE,)) -> Image.Image:
    """Decode every pixel.

    Parameters
    ----------
    content, modes
        As for `open_picture`.

    Returns
    -------
    PIL.Image.Image
        As from `open_picture`, loaded.

    Raises
    ------
    PictureError
        As from `open_picture`, and if a part of it is missing or broken.
    """
    image = open_picture(content, modes)
    try:
        if image.format == "PNG":  # verifying finds a file cut inside its last bytes,
            image.verify()
            image = open_picture(content, modes)
        image.load()  # loading finds everything before
    except Exception as error:  # whatever a decoder raises on broken bytes: it differs by format
        raise _damaged(error) from error
    return image


def read_picture(path: str | Path) -> Image.Image:
    """Read and decode a frame that was found sound when it was ingested.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.

    Returns
    -------
    PIL.Image.Image
        Of mode `MODE`, whatever mode the file has.

    Raises
    ------
    PictureError
        If it is gone, or no frame any more; the message names the file.
    """
    try:
        return decode_picture(read_content(path), modes=None).convert(MODE)
    except OSError as error:
        raise PictureError(
            f"frame {displayed(path)}: {reason(error)}, though it was there when it was ingested; "
            "bring it back, or ingest again"
        ) from error
    except PictureError as error:
        raise PictureError(
            f"frame {displayed(path)}: {error}. It has changed since it was ingested: bring it "
            "back, or ingest again"
        ) from error


def _header(content: bytes) -> Image.Image:
    image_class = _format(content)
    if image_class is None:
        *names, last = FORMATS
        raise PictureError(
            f"cannot be decoded: it is {_other(content, 'no picture')}, expected "
            f"{', '.join(names)} or {last}"
        )
    try:
        return image_class(io.BytesIO(content))
    except Exception as error:  # by the kind of damage: SyntaxError, struct.error, ...
        raise _damaged(error) from error


def _format(content: bytes) -> type[Image.Image] | None:
    return next((each for first, each in FORMATS.values() if content.startswith(first)), None)


def _other(content: bytes, otherwise: str) -> str:
    return next(
        (name for place, first, name in _OTHERS if content[place:].startswith(first)), otherwise
    )


def _damaged(error: Exception) -> PictureError:
    cause = str(error).split("<_io")[0].strip()  # without the buffer's address in memory
    return PictureError(f"cannot be decoded: {cause or type(error).__name__}")
