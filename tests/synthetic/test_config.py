import numpy as np
import pytest
from pydantic import ValidationError

from wherewhen.synthetic.config import CameraConfig, SyntheticConfig
from wherewhen.synthetic.planning import plan


def test_a_typo_is_refused():
    with pytest.raises(ValidationError, match="ocluders"):
        SyntheticConfig(ocluders=0.5)
    with pytest.raises(ValidationError, match="elevashun"):
        CameraConfig(name="cam_a", elevation=0.1, azimuth=0.0, elevashun=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_frames": 9, "max_frames": 8},
        {"min_frames": 9, "max_frames": 12, "mean_frames": 13},
        {"cameras": ()},
        {"occluders": 1.5},
        {"persons": 0},
    ],
)
def test_impossible_values_are_refused(wrong):
    with pytest.raises(ValidationError):
        SyntheticConfig(**wrong)


def test_two_cameras_of_one_name_are_refused():
    camera = CameraConfig(name="cam_a", elevation=0.1, azimuth=0.0)
    with pytest.raises(ValidationError, match="its own name"):
        SyntheticConfig(cameras=(camera, camera))


def test_workers_change_no_fingerprint_and_everything_else_does():
    base = SyntheticConfig()
    assert SyntheticConfig(workers=1).fingerprint == base.fingerprint
    # A number of cameras and those cameras spelt out are the same set.
    assert SyntheticConfig(cameras=base.camera_list).fingerprint == base.fingerprint
    for change in ({"seed": 1}, {"noise": 4.0}, {"persons": 81}, {"cameras": 3}):
        assert SyntheticConfig(**change).fingerprint != base.fingerprint


def test_default_lengths_are_those_of_ilids_vid():
    lengths = np.array(list(plan(SyntheticConfig(persons=1500)).lengths.values()))
    assert lengths.min() >= 23
    assert lengths.max() <= 192
    assert abs(lengths.mean() - 73) < 3
    assert SyntheticConfig().mean_length == pytest.approx(73)


def test_lengths_keep_to_other_bounds():
    config = SyntheticConfig(persons=300, min_frames=12, max_frames=24, mean_frames=20)
    lengths = np.array(list(plan(config).lengths.values()))
    assert lengths.min() >= 12
    assert lengths.max() <= 24
    assert abs(lengths.mean() - 20) < 0.8
    same = SyntheticConfig(persons=3, min_frames=7, max_frames=7)
    assert set(plan(same).lengths.values()) == {7}


def test_what_was_added_later_leaves_older_sets_their_names():
    assert SyntheticConfig().fingerprint == "3a33af5151642772"
    for change in (
        {"world": "varied"},
        {"layout": "folder", "views": 2},
        {"places": 2},
        {"faulty_boxes": 0.1},
        {"resolution": (40, 128)},
        {"jpeg_quality": (30, 90)},
    ):
        without = {"layout": change.get("layout", "prid2011")}
        assert SyntheticConfig(**change).fingerprint != SyntheticConfig(**without).fingerprint


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"views": 1}, "greater than or equal to 2"),
        ({"layout": "folder", "views": 3}, "views is 3, but there are 2 cameras"),
        ({"views": 2}, "layout prid2011 has everybody in the same two cameras"),
        ({"resolution": (90, 40)}, r"resolution is \[90, 40\]: expected two numbers from 8 to 128"),
        ({"resolution": (40, 200)}, "from 8 to 128"),
        ({"jpeg_quality": (0, 50)}, "jpeg_quality is .* from 1 to 95"),
        ({"world": "held_out", "cameras": 7}, "world held_out has 6 cameras of its own"),
    ],
)
def test_what_a_set_cannot_have_is_refused(wrong, said):
    with pytest.raises(ValidationError, match=said):
        SyntheticConfig(**wrong)
