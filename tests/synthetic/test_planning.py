import hashlib
import itertools

import numpy as np
import pytest

from wherewhen.synthetic.config import SyntheticConfig
from wherewhen.synthetic.planning import plan

SMALL = {"persons": 2, "min_frames": 3, "max_frames": 5, "occluders": 1.0}


def digests(config, order=None):
    synthetic_set = plan(config)
    return {
        name: hashlib.sha256(frames.tobytes()).hexdigest()
        for name, frames in synthetic_set.render_all(order)
    }


@pytest.fixture(scope="module")
def expected():
    return digests(SyntheticConfig(**SMALL, workers=1))


def test_names_lengths_and_shapes():
    synthetic_set = plan(SyntheticConfig(**SMALL))
    assert synthetic_set.tracklets == (
        "cam_a/person_0001", "cam_a/person_0002", "cam_b/person_0001", "cam_b/person_0002",
    )  # fmt: skip
    frames = synthetic_set.render("cam_b/person_0002")
    assert frames.shape == (synthetic_set.lengths["cam_b/person_0002"], 128, 64, 3)
    assert frames.dtype == np.uint8
    with pytest.raises(KeyError, match="person_0009"):
        synthetic_set.render("cam_b/person_0009")


def test_same_seed_same_bytes_in_any_order_and_by_any_number_of_workers(expected):
    order = list(expected)[::-1]
    assert digests(SyntheticConfig(**SMALL, workers=2), order) == expected
    alone = plan(SyntheticConfig(**SMALL)).render("cam_b/person_0001")
    assert hashlib.sha256(alone.tobytes()).hexdigest() == expected["cam_b/person_0001"]


def test_another_seed_gives_other_bytes(expected):
    name = "cam_a/person_0001"
    assert digests(SyntheticConfig(**SMALL, seed=1), [name])[name] != expected[name]


def test_the_person_moves_from_frame_to_frame():
    config = SyntheticConfig(
        persons=1, min_frames=4, max_frames=4, noise=0.0, occluders=0.0, box_jitter=0.0
    )
    frames = plan(config).render("cam_b/person_0001").astype(int)
    for before, after in itertools.pairwise(frames):
        change = np.abs(after - before).mean(axis=2)
        assert change[80:].mean() > 1.0  # legs
    assert 40 < frames.mean() < 190


def test_more_cameras_and_another_size():
    config = SyntheticConfig(
        persons=1, cameras=3, min_frames=2, max_frames=2, height=64, width=32, occluders=0.0
    )
    synthetic_set = plan(config)
    assert synthetic_set.tracklets[-1] == "cam_c/person_0001"
    assert synthetic_set.render("cam_c/person_0001").shape == (2, 64, 32, 3)


VARIED = {
    "world": "varied", "layout": "folder", "persons": 2, "cameras": 5, "views": 3, "places": 3,
    "min_frames": 2, "max_frames": 2, "occluders": 1.0, "faulty_boxes": 1.0,
    "resolution": (40, 128), "jpeg_quality": (20, 80),
}  # fmt: skip


@pytest.mark.parametrize("layout", ["folder", "manifest", "mars"])
def test_everybody_is_filmed_by_some_of_the_cameras(layout):
    config = SyntheticConfig(**VARIED | {"layout": layout, "persons": 60})
    seen = {}
    for shot in plan(config).shots:
        seen.setdefault(shot.person, set()).add(shot.camera)
    assert {len(cameras) for cameras in seen.values()} == {3}
    assert len({tuple(sorted(cameras)) for cameras in seen.values()}) > 5  # of ten
    assert plan(config).shots == plan(config).shots


@pytest.mark.parametrize("world", ["varied", "held_out"])
def test_everything_that_varies_is_the_same_by_any_number_of_workers(world):
    expected = digests(SyntheticConfig(**VARIED | {"world": world}, workers=1))
    order = list(expected)[::-1]
    assert digests(SyntheticConfig(**VARIED | {"world": world}, workers=2), order) == expected
