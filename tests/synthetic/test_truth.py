import numpy as np
import pytest

from wherewhen.synthetic import SyntheticConfig, plan
from wherewhen.synthetic.compositing import Lens, composite
from wherewhen.synthetic.rendering import Layers
from wherewhen.synthetic.truth import Truth, find_truth, read_truths, truth_file

PLAIN = Lens(gain=(1, 1, 1), shutter=0, softness=0, noise=0)


def layer(coverage, colour):
    """Return a layer of one colour, multiplied by its coverage."""
    coverage = np.asarray(coverage, dtype=np.float32)
    return np.concatenate([coverage[..., None] * np.float32(colour), coverage[..., None]], axis=-1)


def test_truth_is_that_of_the_pixels():
    """A light person on a black street, in part behind a grey post."""
    person = [[[1, 1, 0, 0], [1, 0.4, 0, 0]]]
    post = [[[1, 0, 0, 1], [1, 0, 0, 1]]]
    pictures, truth = composite(
        np.zeros((1, 2, 4, 3), dtype=np.float32),
        Layers(layer(person, (0.75, 0.75, 0.75)), np.zeros((1, 2, 4), dtype=np.float32)),
        layer(post, (0.5, 0.5, 0.5)),
        PLAIN,
        np.random.default_rng(0),
    )
    assert pictures[0, :, :, 0].tolist() == [[128, 191, 0, 128], [128, 76, 0, 128]]
    np.testing.assert_allclose(truth.visible[0], [[0, 1, 0, 0], [0, 0.4, 0, 0]], atol=1e-6)
    np.testing.assert_array_equal(truth.occluder, post)
    np.testing.assert_allclose(truth.visible_share, [1.4 / 3.4], rtol=1e-6)


def test_shutter_widens_the_person():
    moving = np.array([[[1, 0]], [[0, 1]]])
    layers = Layers(layer(moving, (1, 1, 1)), np.zeros((2, 1, 2), dtype=np.float32))
    street = np.zeros((2, 1, 2, 3), dtype=np.float32)
    lens = Lens(gain=(1, 1, 1), shutter=1, softness=0, noise=0)
    _, truth = composite(street, layers, None, lens, np.random.default_rng(0))
    np.testing.assert_allclose(truth.visible[1], [[0.4, 0.6]])
    np.testing.assert_array_equal(truth.visible_share, [1, 1])


def test_nobody_has_no_visible_share():
    truth = Truth.of(np.zeros((1, 2, 2)), np.ones((1, 2, 2)))
    assert np.isnan(truth.visible_share).all()


@pytest.mark.parametrize("front", [None, np.full((3, 4, 2), 0.25)])
def test_what_is_written_is_read(tmp_path, front):
    truth = Truth.of(np.linspace(0, 1, 24).reshape(3, 4, 2), front)
    for name in ("a.npz", "b.npz"):
        truth.write(tmp_path / name)
    read = Truth.read(tmp_path / "a.npz")
    np.testing.assert_array_equal(read.visible, truth.visible)
    np.testing.assert_array_equal(read.occluder, truth.occluder)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_rendered_person_fills_the_box_as_it_should():
    config = SyntheticConfig(
        persons=1, cameras=1, min_frames=3, max_frames=3, occluders=0, noise=0, softness=0,
        motion_blur=0, workers=1,
    )  # fmt: skip
    frames, truth = plan(config).film("cam_a/person_0001")
    assert truth.person.shape == frames.shape[:3]
    assert truth.front is None
    rows = np.flatnonzero(truth.person[1].max(axis=1))
    assert 0.85 < (rows[-1] - rows[0] + 1) / config.height < 1  # the box is FILL of the height
    assert 0.1 < truth.visible[1].mean() < 0.5


def test_who_is_behind_an_occluder_is_hidden_for_a_while():
    config = SyntheticConfig(persons=1, min_frames=40, max_frames=40, occluders=1, workers=1)
    shares = plan(config).film("cam_a/person_0001")[1].visible_share
    assert shares.max() > 0.95
    assert shares.min() < 0.8


def test_bad_crops_have_the_truth_of_their_quarter():
    config = SyntheticConfig(
        layout="mars", persons=2, junk=1, min_frames=2, max_frames=2, workers=1
    )
    synthetic_set = plan(config)
    (junk,) = (shot.tracklet for shot in synthetic_set.shots if shot.kind == "junk")
    frames, truth = synthetic_set.film(junk)
    assert truth.person.shape == frames.shape[:3]
    np.testing.assert_array_equal(truth.person[:, ::2], truth.person[:, 1::2])


@pytest.mark.parametrize(
    ("place", "read_as"),
    [
        ("prid_2011/multi_shot/cam_a/person_1/1.png", "multi_shot/cam_a/person_1/1.png"),
        ("crops/cam_a/person_1/1.png", "cam_a/person_1/1.png"),
        ("bbox_test/0002/0002C1T1F1.jpg", "bbox_test.zip-1/bbox_test/0002/0002C1T1F1.jpg"),
    ],
)
def test_truth_is_found_by_what_readers_call_a_frame(tmp_path, place, read_as):
    file = truth_file(tmp_path, place)
    assert find_truth(tmp_path, read_as) is None
    file.parent.mkdir()
    file.touch()
    assert find_truth(tmp_path, read_as) == file
    assert find_truth(tmp_path, place) == file
    assert find_truth(tmp_path, read_as.replace("1.", "2.")) is None


class TestReading:
    PLACE = "prid_2011/multi_shot/cam_a/person_1/1.png"

    @pytest.fixture
    def home(self, tmp_path):
        file = truth_file(tmp_path, self.PLACE)
        file.parent.mkdir()
        Truth.of(np.ones((3, 2, 2)), None).write(file)
        return tmp_path

    def test_by_tracklet_wherever_the_reader_was_pointed_at(self, home):
        for place in (home, home / "crops", home / "archive/iLIDS-VID.tar"):
            truths = read_truths(place, {"cam_a/person_1": (self.PLACE, 3)})
            assert truths["cam_a/person_1"].person.shape == (3, 2, 2)

    def test_what_is_missing_is_named(self, home, tmp_path_factory):
        with pytest.raises(
            FileNotFoundError, match=r"tracklet b \(multi_shot/b/1.png\).*synthesise"
        ):
            read_truths(home, {"b": ("multi_shot/b/1.png", 3)})
        with pytest.raises(FileNotFoundError, match="no truth of tracklet"):
            read_truths(tmp_path_factory.mktemp("none"), {"a": (self.PLACE, 3)})

    def test_another_number_of_frames_is_refused(self, home):
        with pytest.raises(ValueError, match="has 3 frames, but tracklet a has 2"):
            read_truths(home, {"a": (self.PLACE, 2)})
