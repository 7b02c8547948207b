"""Tiny sets of crops for the tests of readers."""

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
