import numpy as np
import pytest
import torch

from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import build_network
from wherewhen.tracklets.windows import SpreadFrames, Window
from wherewhen.training.config import TrainingConfig
from wherewhen.training.guidance import Guide
from wherewhen.training.loop import train
from wherewhen.training.pasting import Paste

WHOLE = slice(0, 2)


def network():
    config = NetworkConfig(projection=4, channels=[3], conditioned_on_features=True)
    return build_network(config, 8, 3)


@pytest.fixture
def guide():
    """A tracklet of three frames on a 2 x 2 grid; the person is in the left column."""
    person = np.zeros((3, 2, 2))
    person[:, :, 0] = [[0.2], [0.4], [0.6]]
    return Guide({"a": person}, {"a": np.array([0.5, 1.0, 1.0])})


def test_spread_frames_show_their_own(guide):
    shown = guide.of([SpreadFrames("a", (0, 2))], 3, [], torch.device("cpu"))
    assert shown.visible.tolist() == [[0.5, 1.0, 0.5]]
    assert shown.person[0, :, 0, 0].tolist() == pytest.approx([0.2, 0.6, 0.2])


def test_windows_show_their_own_frames_and_repeat_a_short_one(guide):
    shown = guide.of([Window("a", 1, 3)], 3, [], torch.device("cpu"))
    assert shown.person[0, :, 0, 0].tolist() == pytest.approx([0.4, 0.6, 0.4])
    assert shown.visible.tolist() == [[1.0, 1.0, 1.0]]


def test_what_is_pasted_shows_nothing_of_the_person(guide):
    windows = [Window("a", 0, 3), Window("a", 0, 3)]
    pastes = [
        Paste(0, 1, slice(0, 1), WHOLE, WHOLE),
        Paste(0, 1, slice(1, 2), slice(0, 1), WHOLE),  # the upper half
    ]
    shown = guide.of(windows, 3, pastes, torch.device("cpu"))
    assert shown.visible.tolist() == [[0.0, 0.5, 1.0], [0.5, 1.0, 1.0]]
    assert shown.person[0, 0].sum() == 0
    assert shown.person[0, 1].tolist() == [[0.0, 0.0], [pytest.approx(0.4), 0.0]]
    assert guide.person["a"][0, 0, 0] == 0.2  # the guide is as it was


def test_a_guided_training_looks_at_the_person(toy, tmp_path):
    """The toy's persons are in one cell; what tells cameras apart is everywhere."""
    cubes, tracklets = toy()
    lengths = cubes.lengths
    person = {name: np.zeros((length, 3, 3)) for name, length in lengths.items()}
    for shares in person.values():
        shares[:, 1, 2] = 1.0
    guide = Guide(person, {name: np.ones(length) for name, length in lengths.items()})
    config = TrainingConfig(
        frames=4, steps=40, persons_per_batch=8, guidance_weight=1.0, threads=1,
        learning_rate_factors={"attention": 1.0},
    )  # fmt: skip
    looking = network()
    train(looking, cubes, tracklets, None, config, tmp_path / "run", progress=False, guide=guide)
    cube = torch.from_numpy(cubes.read(cubes.whole(tracklets.tracklet[0]))[None]).float()
    assert looking.encode(cube).attention[0, :, 1, 2].mean() > 2 / 9


def test_guidance_without_a_guide_is_refused(toy, tmp_path):
    config = TrainingConfig(frames=4, steps=1, guidance_weight=1.0, threads=1)
    with pytest.raises(ValueError, match="guidance_weight needs to know what frames show"):
        train(network(), *toy(), None, config, tmp_path / "run", progress=False)
