import numpy as np
import pandas as pd
import pytest
from PIL import Image

from wherewhen.reporting.figures import FIGURES
from wherewhen.reporting.looks import attention_table
from wherewhen.tracklets.pictures import TrackletPictures


@pytest.fixture
def drawn(tmp_path):
    windows = pd.DataFrame(
        [("trial_00", "a/1", "1", "a", "probe", 0, 2)],
        columns=["trial", "tracklet", "person", "camera", "role", "start", "stop"],
    )
    for position in range(2):
        Image.new("RGB", (4, 8)).save(tmp_path / f"{position}.png")
    frames = pd.DataFrame(
        {"tracklet": "a/1", "position": [0, 1], "path": ["0.png", "1.png"]},
    )
    attention, covered = np.full((2, 2, 2), 0.25), np.array([[[0, 1], [0, 1]]] * 2, dtype=float)
    table = attention_table(windows, [attention], [np.array([0.5, 0.5])], [(0, covered)])
    table = table.drop(columns="channel").rename(columns={"response": "covered"})
    kind = FIGURES["attention_on_person"]
    return kind.draw(TrackletPictures(tmp_path, frames), table)


def test_it_shows_frames_where_the_person_is_and_the_attention(drawn):
    words = [text.get_text() for text in drawn.texts]
    assert "person’s\nshare of\na cell" in words
    assert any("the probes of whom the most is hidden, trial_00" in text for text in words)


def test_the_scale_starts_at_zero_and_is_one_for_all(drawn):
    scales = {image.get_clim() for axes in drawn.axes for image in axes.images if image.get_alpha()}
    assert scales == {(0, 1), (0, 6)}  # the person's share, and attention relative to uniform


def test_it_shows_people():
    assert FIGURES["attention_on_person"].people
