"""Uploaded pictures: in order, and refused with a reason."""

import io

import numpy as np
import pytest
from PIL import Image

from wherewhen.galleries.page import uploads
from wherewhen.galleries.page.uploads import UploadError, frames_of


def picture(value=0, size=(4, 8), mode="RGB", kind="PNG", **options):
    content = io.BytesIO()
    Image.new(mode, size, value if mode == "L" else (value, 0, 0)).save(content, kind, **options)
    return content.getvalue()


def test_pictures_come_in_the_order_of_their_numbers():
    frames = frames_of(
        [("f10.png", picture(10)), ("f2.png", picture(2)), ("f1.bmp", picture(1, kind="BMP"))]
    )
    assert [frame[0, 0, 0] for frame in frames] == [1, 2, 10]
    assert {frame.shape for frame in frames} == {(8, 4, 3)}


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return picture(kind="JPEG", exif=exif)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"GIF89a...", "a.png is no frame: .*it is a GIF"),
        (b"", "a.png is no frame"),
        (picture()[:45], "a.png is no frame: cannot be decoded"),
        (picture(mode="L"), "mode L, expected RGB"),
        (turned(), "EXIF orientation turns it"),
        (
            picture(size=(2000, 1001)),
            "size 2000x1001: 2,002,000 pixels, expected at most 2,000,000",
        ),
    ],
)
def test_what_is_no_frame_is_refused_by_name(content, reason):
    with pytest.raises(UploadError, match=reason):
        frames_of([("b.png", picture()), ("../../a.png", content)])


def test_too_much_is_refused(monkeypatch):
    with pytest.raises(UploadError, match="33 pictures: expected 1 to 32"):
        frames_of([("a.png", picture())] * 33)
    with pytest.raises(UploadError, match="0 pictures"):
        frames_of([])
    monkeypatch.setattr(uploads, "LARGEST", 10)
    with pytest.raises(UploadError, match=r"a\.png has \d+ bytes: expected at most 10"):
        frames_of([("a.png", picture())])
    monkeypatch.setattr(uploads, "LARGEST_IN_ALL", 9)
    with pytest.raises(UploadError, match="bytes in all: expected at most 9"):
        frames_of([("a.png", picture())])


def test_the_bytes_that_are_decoded_are_those_of_a_file():
    noise = np.random.default_rng(0).integers(0, 256, (8, 4, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(noise).save(content, "PNG")
    [frame] = frames_of([("a.png", content.getvalue())])
    np.testing.assert_array_equal(frame, noise)
