"""Pairs, loss and loop of the baselines that learn a network, on the mean colour."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import nn

from wherewhen.baselines.base import Clip
from wherewhen.baselines.describe import build_baseline
from wherewhen.baselines.siamese import (
    SiameseBaseline,
    alternating_pairs,
    contrastive_loss,
)


@dataclass(eq=False, kw_only=True)
class MeanColour(SiameseBaseline):
    """A linear map of a clip's mean colour."""

    epochs: int = 3
    frames: int = 4
    batch: int = 2
    rate: float = 0.1
    margin: float = 1.0
    threads: int = 1
    progress: bool = False
    shapes: set = field(default_factory=set)

    def look(self, frames):
        return frames.mean(axis=(1, 2)) / 255

    def view(self, sequence, generator):
        self.shapes.add((sequence.shape, generator is None))
        return sequence

    def build(self, example, persons):
        class Network(nn.Module):
            def __init__(self):
                super().__init__()
                self.map = nn.Linear(example.shape[1], 2)

            def forward(self, sequences):
                return self.map(sequences).mean(dim=1)

        return Network()

    def optimiser(self, network):
        return torch.optim.SGD(network.parameters(), lr=self.rate)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_loss_by_hand(dtype):
    left = torch.tensor([[0.0, 0], [0, 0], [0, 0], [1, 1]], dtype=dtype)
    right = torch.tensor([[3.0, 4], [0.6, 0.8], [3, 4], [1, 1]], dtype=dtype)
    same = torch.tensor([True, False, False, False])
    # d = 5, 1, 5, 0: 25/2, (2 - 1)^2 / 2, 0, 2^2 / 2
    loss = contrastive_loss(left, right, same, margin=2.0)
    assert loss.item() == pytest.approx((12.5 + 0.5 + 0 + 2) / 4, rel=1e-6)


def test_the_loss_against_a_loop_over_pairs_and_its_gradient():
    generator = torch.Generator().manual_seed(0)
    left, right = torch.randn(2, 6, 3, generator=generator, dtype=torch.float64)
    same = torch.tensor([True, False] * 3)
    expected, slopes = 0.0, []
    for a, b, together in zip(left.numpy(), right.numpy(), same.tolist(), strict=True):
        d = np.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))
        short = max(2.5 - d, 0)
        expected += (d**2 if together else short**2) / 2 / 6
        slopes.append((a - b) / 6 if together else -short * (a - b) / d / 6)
    left.requires_grad_()
    loss = contrastive_loss(left, right, same, 2.5)
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    loss.backward()
    np.testing.assert_allclose(left.grad.numpy(), slopes, rtol=1e-6, atol=1e-8)


def test_pairs_take_turns_across_cameras():
    persons = ["p", "p", "q", "q", "r", "p", "q"]
    cameras = ["a", "b", "a", "b", "a", "c", "a"]
    generator = np.random.default_rng(0)
    firsts = set()
    for _ in range(20):
        pairs = alternating_pairs(persons, cameras, generator)
        assert [pair.same for pair in pairs] == [True, False] * 2  # r is in one camera alone
        assert {persons[pair.left] for pair in pairs} == {"p", "q"}
        for pair in pairs:
            assert (persons[pair.left] == persons[pair.right]) == pair.same
            assert cameras[pair.left] != cameras[pair.right]
        firsts.add(pairs[0])
    assert len(firsts) > 5


def test_what_makes_no_pairs_is_an_error():
    generator = np.random.default_rng(0)
    with pytest.raises(ValueError, match="2 persons in 2 cameras make no pairs"):
        alternating_pairs(["p", "q"], ["a", "b"], generator)
    with pytest.raises(ValueError, match="expected other persons than p"):
        alternating_pairs(["p", "p"], ["a", "b"], generator)


def test_training_lowers_the_loss(people):
    baseline = MeanColour(epochs=30).fit(people.clips(range(8)))
    assert len(baseline.losses) == 30
    assert np.mean(baseline.losses[-5:]) < 0.7 * np.mean(baseline.losses[:5])


def test_equal_seeds_give_equal_vectors_and_the_global_seed_is_left_alone(people):
    clips, frames = people.clips(range(4)), people.frames(9, 0)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one = MeanColour().fit(clips).describe(frames)
    assert torch.equal(torch.rand(1), expected)
    np.testing.assert_array_equal(MeanColour().fit(clips).describe(frames), one)
    assert not np.allclose(MeanColour(seed=1).fit(clips).describe(frames), one)
    np.testing.assert_array_equal(MeanColour().fit(clips).fit(clips).describe(frames), one)


def test_sequences_have_the_length_of_training_and_clips_their_own(people):
    baseline = MeanColour().fit(people.clips(range(2), frames=3))  # shorter than 4: repeated
    baseline.describe(people.frames(0, 0, frames=7))
    assert baseline.shapes == {((4, 3), False), ((3, 3), True), ((7, 3), True)}


def test_many_clips_of_a_camera_are_spread_over_and_read_once():
    read = []

    def frames(index):
        read.append(index)
        return np.full((2, 4, 4, 3), index, dtype=np.uint8)

    clips = [
        Clip(f"{index}", str(index % 2), "ab"[index // 10], lambda index=index: frames(index))
        for index in range(20)
    ]
    MeanColour(clips_per_camera=2).fit(clips)
    assert read == [0, 1, 8, 9, 10, 11, 18, 19]


def test_a_loss_that_is_no_number_stops_and_names_the_batch(people):
    with pytest.raises(FloatingPointError, match=r"epoch \d+, batch \d \([ab]/\d and [ab]/\d; "):
        MeanColour(rate=1e30, epochs=20).fit(people.clips(range(3)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": -1}, "epochs is -1: expected at least 0"),
        ({"batch": 0}, "batch is 0: expected at least 1"),
        ({"threads": 0}, "threads is 0: expected at least 1"),
        ({"margin": 0}, "margin is 0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MeanColour(**options)


def test_it_is_fitted_before_it_describes(people):
    with pytest.raises(RuntimeError, match="MeanColour describes nothing before `fit`"):
        MeanColour().describe(people.frames(0, 0))


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("name", "options", "persons", "share"),
    [
        ("rcn", {"epochs": 8, "frames": 3, "dropout": 0.0}, 5, 0.8),
        (
            "s_lstm",
            {"epochs": 15, "stripes": 8, "hidden": 16, "batch": 4, "rate": 3e-3},
            8,
            0.6,
        ),
    ],
)
class TestBaselinesThatTrain:
    """RCN and S-LSTM on few persons."""

    def test_training_lowers_the_loss_and_ranks_persons(
        self, people, name, options, persons, share
    ):
        trained = build_baseline(name, options | {"progress": False})
        trained.fit(people.clips(range(persons)))
        assert np.mean(trained.losses[-3:]) < share * np.mean(trained.losses[:3])
        assert people.rank_1(trained, range(persons)) >= 0.8
        sizes = set()
        for frames, size in ((1, (32, 64)), (2, (64, 128)), (40, (20, 40))):
            vector = trained.describe(people.frames(0, 0, frames=frames, size=size))
            assert vector.dtype == np.float64
            assert np.isfinite(vector).all()
            sizes.add(vector.shape)
        assert sizes == {(128,)}

    def test_equal_seeds_give_equal_vectors(self, people, name, options, persons, share):
        options = options | {"epochs": 1, "progress": False}
        one, two, other = (
            build_baseline(name, options | {"seed": seed})
            .fit(people.clips(range(2)))
            .describe(people.frames(5, 0))
            for seed in (0, 0, 1)
        )
        np.testing.assert_array_equal(one, two)
        assert not np.allclose(one, other)
