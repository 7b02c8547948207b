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
