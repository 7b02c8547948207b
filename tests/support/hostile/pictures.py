"""Pictures and videos that are none, are turned into work, or lead elsewhere."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from hostile import case

KIND = "picture"
SIZE = (16, 32)


def pixels(seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)


def encoded(form: str = "PNG", image: Image.Image | None = None, **options: object) -> bytes:
    content = io.BytesIO()
    (image or Image.fromarray(pixels())).save(content, form, **options)
    return content.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png_of_size(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(bytes(10**6), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def with_chunk(kind: bytes, content: bytes) -> bytes:
    """Return a PNG with one more chunk behind its header."""
    whole = encoded()
    return whole[:33] + chunk(kind, content) + whole[33:]


def crops(folder: Path, content: bytes, name: str = "1.png") -> Path:
    """Write a folder of crops with a sound picture and another one."""
    for camera in "ab":
        person = folder / camera / "anna"
        person.mkdir(parents=True)
        (person / "0.png").write_bytes(encoded())
    (folder / "a" / "anna" / name).write_bytes(content)
    return folder


def ingested(folder: Path, **options: object) -> object:
    from wherewhen.tracklets.readers import read

    return read("folder", folder, progress=False, workers=1, **options)


def _frame(given: str, said: str, content, name: str = "1.png", **bounds: float) -> None:
    """Add a case of a frame among crops."""

    def act(folder: Path) -> Iterator[None]:
        made = content() if callable(content) else content
        root = crops(folder / "set", made, name)
        yield
        ingested(root)

    act.__name__ = given.replace(" ", "_")
    case(KIND, given, f"a/anna/{name}: {said}", "IngestError", **bounds)(act)


_frame(
    "a PNG of 13,000 x 13,000 pixels in a kilobyte",
    "size 13000x13000: 169,000,000 pixels, and at most 50,000,000 are decoded",
    partial(png_of_size, 13_000, 13_000),
    megabytes=100,
)
_frame("a PNG of 2^31 x 2^31 pixels", "size ...", partial(png_of_size, 2**31 - 1, 2**31 - 1))
_frame(
    "a PNG of which the pixels are missing, within the limit",
    "cannot be decoded",
    partial(png_of_size, 7000, 7000),
    megabytes=400,
)
_frame("a PNG that is cut off", "cannot be decoded", lambda: encoded()[:-20])
_frame("a PNG with a flipped bit", "cannot be decoded", lambda: _flipped(encoded(), 60))
_frame("a JPEG that is cut off", "cannot be decoded", lambda: encoded("JPEG")[:300], "1.jpg")
_frame("a JPEG that is cut off, called PNG", "cannot be decoded", lambda: encoded("JPEG")[:300])
_frame(
    "a PNG whose text grows a thousandfold",
    "cannot be decoded: Decompressed data too large",
    lambda: with_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(200 * 2**20), 9)),
)
_frame("an empty file", "empty file", b"")
_frame("a GIF called PNG", "cannot be decoded: it is a GIF", lambda: encoded("GIF"))
_frame("a TIFF called PNG", "cannot be decoded: it is a TIFF", lambda: encoded("TIFF"))
_frame("PostScript called PNG", "cannot be decoded: it is PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n")
_frame("SVG called PNG", "cannot be decoded: it is HTML, XML or SVG", b"<svg></svg>")
_frame("a zip called PNG", "cannot be decoded: it is a zip archive", b"PK\3\4" + bytes(40))
_frame("a text called PNG", "cannot be decoded: it is no picture", b"hello")
_frame(
    "a PNG of 16 bits a channel",
    "mode RGB with 16 bits a channel, expected 8",
    lambda: _deep_png(),
)
_frame(
    "a JPEG in CMYK", "mode CMYK, expected RGB",
    lambda: encoded("JPEG", Image.new("CMYK", SIZE)), "1.jpg",
)  # fmt: skip
_frame(
    "a PNG with an alpha channel", "mode RGBA, expected RGB",
    lambda: encoded(image=Image.new("RGBA", SIZE)),
)  # fmt: skip
_frame(
    "a JPEG that EXIF turns", "its EXIF orientation is 6, so viewers turn it",
    lambda: encoded("JPEG", exif=_turned()), "1.jpg",
)  # fmt: skip


def _flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[274] = 6
    return exif


def _deep_png() -> bytes:
    header = struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)
    data = zlib.compress(bytes(2 * (1 + 2 * 6)))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def many_scans(scans: int, size: tuple[int, int] = (1000, 1000)) -> bytes:
    """Return a progressive JPEG with one scan repeated."""
    content = encoded("JPEG", Image.new("RGB", size), progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * scans + b"\xff\xd9"


_frame(
    "a JPEG that goes 20,000 times through its pixels",
    "20,0... scans, and at most 100 are decoded",
    partial(many_scans, 20_000),
    "1.jpg",
)


@case(
    KIND,
    "a frame that is a link to /dev/zero",
    "cannot be read: it is a pipe or a device",
    "IngestError",
)
def device(folder: Path) -> Iterator[None]:
    root = crops(folder / "set", b"")
    (root / "a/anna/1.png").unlink()
    (root / "a/anna/1.png").symlink_to("/dev/zero")
    yield
    ingested(root)


@case(KIND, "a frame that is a pipe", "cannot be read: it is a pipe or a device", "IngestError")
def pipe(folder: Path) -> Iterator[None]:
    root = crops(folder / "set", b"")
    (root / "a/anna/1.png").unlink()
    os.mkfifo(root / "a/anna/1.png")
    yield
    ingested(root)


@case(
    KIND,
    "a frame that is a link which leads nowhere",
    "missing: a link that leads nowhere",
    "IngestError",
)
def nowhere(folder: Path) -> Iterator[None]:
    root = crops(folder / "set", b"")
    (root / "a/anna/1.png").unlink()
    (root / "a/anna/1.png").symlink_to("gone.png")
    yield
    ingested(root)


def _read_frame(given: str, content) -> None:
    """Add a case of a frame that nobody has decoded before the extraction."""

    def act(folder: Path) -> Iterator[None]:
        from wherewhen.features.extraction import read_frame

        path = folder / "1.png"
        path.write_bytes(content())
        yield
        read_frame(path)

    act.__name__ = f"extracted_{given}".replace(" ", "_")
    case(KIND, f"{given}, in the extraction", "1.png can't be decoded", "ExtractionError")(act)


_read_frame("a PNG that is cut off", lambda: encoded()[:-20])
_read_frame("a PNG with a flipped bit", lambda: _flipped(encoded(), 60))
_read_frame("a PNG without its end", lambda: encoded()[:-12])
_read_frame("a JPEG without pixels", lambda: encoded("JPEG")[:200])


def _video(given: str, said: str, content: str, name: str = "walk.mp4") -> None:
    """Add a case of a video in a manifest, beside which lies a text that it names."""

    def act(folder: Path) -> Iterator[None]:
        from wherewhen.tracklets.readers import read

        (folder / name).write_text(content)
        rows = [f"{camera}/p,p,{camera},0,{name},0,0,5,5" for camera in "ab"]
        names = "tracklet,person,camera,frame,path,left,top,width,height"
        (folder / "manifest.csv").write_text("\n".join([names, *rows]))
        yield
        read("manifest", folder, progress=False, workers=1)

    act.__name__ = given.replace(" ", "_")
    case("video", given, f"{name}: cannot be decoded: {said}", "IngestError")(act)


_LIST = "it is text, a list of other files, or of no known format"
_video(
    "a list of other files, as FFmpeg's concat takes it",
    _LIST,
    "ffconcat version 1.0\nfile o.mp4\n",
)
_video(
    "a playlist that names other files", "...", "#EXTM3U\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n"
)
_video("a text called a video", "...", "hello there\n" * 50)
_video("a text with terminal colours", "...", "\x1b[31mhello\x1b[0m\n" * 50, "walk.ans")
