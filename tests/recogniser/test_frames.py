import numpy as np
import pytest
from PIL import Image

from wherewhen.recogniser import frames_in


@pytest.fixture
def folder(tmp_path):
    """Ten frames; frame n is gray of value n."""
    for number in range(1, 11):
        Image.new("RGB", (4, 8), (number, number, number)).save(tmp_path / f"f{number}.png")
    return tmp_path


def values(frames):
    assert all(frame.dtype == np.uint8 and frame.shape == (8, 4, 3) for frame in frames)
    return [int(frame[0, 0, 0]) for frame in frames]


def test_a_folder_is_read_in_the_order_of_its_numbers(folder):
    assert values(frames_in(folder)) == list(range(1, 11))
    assert values(frames_in(str(folder))) == list(range(1, 11))


def test_one_picture_and_lists_of_pictures(folder):
    assert values(frames_in(folder / "f3.png")) == [3]
    assert values(frames_in([folder / "f3.png", str(folder / "f1.png")])) == [3, 1]
    assert values(frames_in([Image.open(folder / "f7.png")])) == [7]
    assert values(frames_in([(folder / "f9.png").read_bytes()])) == [9]


def test_arrays(folder):
    clip = np.stack(frames_in(folder))
    assert values(frames_in(clip)) == values(frames_in(list(clip))) == list(range(1, 11))


@pytest.mark.parametrize(
    ("tracklet", "said"),
    [
        ([], "a tracklet has no frame"),
        (np.zeros((8, 4, 3), np.uint8), r"a tracklet has shape \[8, 4, 3\]: expected \[frames,"),
        ([np.zeros((8, 4, 3))], "frame 0: expected uint8"),
        ([Image.new("L", (4, 8))], "frame 0: mode L, expected RGB"),
        ([b"none"], "frame 0 is no frame: cannot be decoded: it is no picture"),
    ],
)
def test_what_is_no_tracklet_is_refused(tracklet, said):
    with pytest.raises(ValueError, match=said):
        frames_in(tracklet)


def test_files_that_are_no_frames_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere is not there: expected a folder of crops"):
        frames_in(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="has no pictures"):
        frames_in(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"none")
    with pytest.raises(ValueError, match=r"broken\.png is no frame: cannot be decoded"):
        frames_in(tmp_path)
    turned = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (4, 8)).save(turned, exif=exif)
    with pytest.raises(ValueError, match=r"turned\.jpg is no frame: its EXIF orientation turns it"):
        frames_in(turned)
