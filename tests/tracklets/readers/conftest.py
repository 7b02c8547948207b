"""Tiny sets of crops and videos for the tests of readers."""

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def write_frames():
    """Write frames 1 to `count` into a folder."""

    def write(folder, count=2, size=(4, 8)):
        folder.mkdir(parents=True)
        for number in range(1, count + 1):
            Image.new("RGB", size, (number, 0, 0)).save(folder / f"{number:04d}.png")
        return folder

    return write


@pytest.fixture
def film():
    """Write a video of grey pictures, number n of shade 20 + 20 n, 25 a second unless told."""
    av = pytest.importorskip("av")

    def write_film(path, pictures=8, form=None, picture=None, shown_at=None):
        codecs = {"mpegts": "mpeg2video", "mpeg": "mpeg2video", "asf": "wmv2", "flv": "flv"}
        with av.open(str(path), "w", format=form) as container:
            stream = container.add_stream(codecs.get(form, "mpeg4"), rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for number in range(pictures):
                grey = np.full((48, 64, 3), 20 + 20 * number, np.uint8)
                shown = grey if picture is None else picture
                frame = av.VideoFrame.from_ndarray(shown, format="rgb24")
                if shown_at is not None:
                    frame.pts, frame.time_base = shown_at[number], Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())

    return write_film
