import numpy as np
import pytest
from flat_footage import flat_frames

from wherewhen.pipelines.synthesise.nodes import picture_people, plan_people
from wherewhen.synthetic.config import SyntheticConfig
from wherewhen.synthetic.layouts import write
from wherewhen.synthetic.writer import home_of


def pictured(folder, layout, **options):
    """Picture a set that lies there in flat colours, as if they had been rendered."""
    config = SyntheticConfig(
        layout=layout, persons=3, min_frames=3, max_frames=3, height=32, width=16, **options
    )
    people = plan_people(config)
    names = [camera.name for camera in config.camera_list]

    def frames(shot):
        return flat_frames(shot, (config.width, config.height))

    home = home_of(people, folder)
    root = write(layout, home, people.shots, names, frames, config.archive)
    return np.asarray(picture_people(config, root)).astype(int)


@pytest.mark.parametrize(
    ("layout", "options"),
    [
        ("ilids_vid", {"archive": True}),
        ("folder", {"distractors": 1}),
        ("manifest", {}),
        ("mars", {"archive": True, "junk": 1}),
    ],
)
def test_people_are_pictured_from_any_layout(tmp_path, layout, options):
    expected = pictured(tmp_path, "prid2011")
    picture = pictured(tmp_path, layout, **options)
    assert picture.shape == expected.shape == (2 * 2 * 32 + 12, 3 * (2 * 16 + 6) + 6, 3)
    lossy = layout == "mars"  # JPEG
    assert np.abs(picture - expected).max() <= (8 if lossy else 0)


def test_whom_a_camera_did_not_see_leaves_a_gap(tmp_path):
    picture = pictured(tmp_path, "mars", cameras=3)
    paper = (picture[6 : 6 + 3 * 64, 6 : 6 + 32] == [250, 250, 248]).all(axis=2)
    assert paper.mean() == pytest.approx(1 / 3, abs=0.05)  # person 1 in two cameras of three
