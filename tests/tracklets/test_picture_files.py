import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from wherewhen.tracklets.picture_files import (
    LARGEST_PICTURE,
    PictureError,
    decode_picture,
    open_picture,
    read_content,
    read_picture,
)

RED = Image.new("RGB", (4, 8), (250, 0, 0))


def saved(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def png(width, height, depth=8, colour=2, pixels=b""):
    """Write a PNG that says what it likes in its header."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP"])
def test_three_formats_are_decoded(form):
    image = decode_picture(saved(RED, form))
    assert (image.mode, image.size, image.format) == ("RGB", (4, 8), form)
    assert np.abs(np.array(image)[0, 0].astype(int) - [250, 0, 0]).max() < 4
    assert open_picture(saved(RED, form)).size == (4, 8)


@pytest.mark.parametrize("look", [open_picture, decode_picture])
@pytest.mark.parametrize(
    ("content", "name"),
    [
        (saved(RED, "EPS"), "PostScript"),
        (saved(RED, "GIF"), "a GIF"),
        (saved(RED, "TIFF"), "a TIFF"),
        (saved(RED, "WEBP"), "a WebP"),
        (saved(RED, "JPEG2000"), "a JPEG 2000"),
        (saved(RED, "PPM"), "a PPM"),
        (saved(RED, "PDF"), "a PDF"),
        (b"\0\0\0\x18ftypheic" + bytes(20), "a HEIC"),
        (b"\0\0\0\x18ftypisom" + bytes(20), r"a video \(MP4\)"),
        (b"<!DOCTYPE html>", "HTML, XML or SVG"),
        (b"PK\3\4" + bytes(20), "a zip archive"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"\x89PN", "no picture"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_formats_are_named(content, name, look):
    with pytest.raises(PictureError, match=rf"^cannot be decoded: it is {name}.*PNG, JPEG or BMP"):
        look(content)


@pytest.mark.parametrize("look", [open_picture, decode_picture])
@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (saved(RED.convert("L"), "PNG"), "mode L, expected RGB"),
        (saved(RED.convert("P"), "BMP"), "mode P, expected RGB"),
        (saved(RED.convert("CMYK"), "JPEG"), "mode CMYK, expected RGB"),
        (png(1, 1, 16, 0, bytes(3)), "mode I;16, expected RGB"),
        (png(1, 1, 16, 6, bytes(9)), "mode RGBA, expected RGB"),
        (png(1, 1, 16, 2, bytes(7)), "mode RGB with 16 bits a channel, expected 8"),
    ],
)
def test_other_modes_and_depths_are_named(content, fault, look):
    with pytest.raises(PictureError, match=f"^{fault}"):
        look(content)


@pytest.mark.parametrize("look", [open_picture, decode_picture])
@pytest.mark.parametrize("size", [(10_001, 5_000), (2**31 - 1, 2**31 - 1), (1, 50_000_001)])
def test_absurd_sizes_are_refused_by_the_header(size, look, recwarn):
    pixels = f"{size[0] * size[1]:,} pixels, and at most 50,000,000 are decoded"
    with pytest.raises(PictureError, match=f"^size {size[0]}x{size[1]}: {pixels}"):
        look(png(*size))
    assert not recwarn.list  # Pillow warns of half of its own limit


def test_the_largest_size_is_looked_at():
    assert LARGEST_PICTURE == 50_000_000
    assert open_picture(png(10_000, 5_000)).size == (10_000, 5_000)


@pytest.mark.parametrize(
    "content",
    [
        saved(RED, "PNG")[:60],
        saved(RED, "PNG")[:-6],
        saved(RED, "JPEG")[:300],
        saved(RED, "BMP")[:-20],
        b"\xff\xd8\xff",
        b"BM",
        b"BM" + bytes(100),
        png(0, 8),
        png(4, 8, 7),
        b"\x89PNG\r\n\x1a\n" + bytes(50),
    ],
)
def test_damage_is_named_without_addresses_in_memory(content):
    with pytest.raises(PictureError, match=r"^cannot be decoded: \S") as caught:
        decode_picture(content)
    assert "0x" not in str(caught.value)


class TestReading:
    def test_a_whole_file(self, tmp_path):
        (tmp_path / "a").write_bytes(b"content")
        assert read_content(tmp_path / "a") == b"content"

    def test_empty(self, tmp_path):
        (tmp_path / "a").touch()
        with pytest.raises(PictureError, match=r"^empty file"):
            read_content(tmp_path / "a")

    def test_no_picture_is_this_large(self, tmp_path):
        (tmp_path / "a").touch()
        os.truncate(tmp_path / "a", 2**40)  # a hole: it takes no room
        with pytest.raises(PictureError, match=r"a file of 1,099,511,627,776 bytes, and at most"):
            read_content(tmp_path / "a")

    def test_a_pipe_is_not_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / "a")
        with pytest.raises(OSError, match="pipe or a device"):
            read_content(tmp_path / "a")

    def test_to_be_drawn_any_mode_is_taken(self, tmp_path):
        RED.quantize(2).save(tmp_path / "a.png")
        image = read_picture(tmp_path / "a.png")
        assert (image.mode, image.getpixel((0, 0))) == ("RGB", (250, 0, 0))

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (None, "a.png: No such file or directory, though it was there"),
            (saved(RED, "GIF"), "a.png: cannot be decoded: it is a GIF.*has changed"),
        ],
        ids=["gone", "changed"],
    )
    def test_what_changed_since_is_named(self, tmp_path, content, message):
        if content is not None:
            (tmp_path / "a.png").write_bytes(content)
        with pytest.raises(PictureError, match=rf"^frame .*{message}.*ingest again"):
            read_picture(tmp_path / "a.png")
