"""RCN: what it sees, its network against plain code, what it learns from few persons."""

import numpy as np
import pytest
import torch
from skimage.filters import gaussian

from wherewhen.baselines.rcn import CROP, RCN, SIZE, RCNNetwork, colour_and_flow, optical_flow

pytestmark = pytest.mark.usefixtures("one_thread")


def test_flow_of_a_moving_texture():
    """A blurred noise that moves two pixels to the right and one down each frame."""
    noise = gaussian(np.random.default_rng(0).random((64, 48)), 3, mode="wrap")
    picture = (255 * (noise - noise.min()) / np.ptp(noise)).astype(np.uint8)
    moving = np.stack([np.roll(picture, (step, 2 * step), (0, 1)) for step in range(3)])
    flow = optical_flow(moving)
    assert flow.shape == (3, 2, 64, 48)
    inner = flow[..., 10:-10, 10:-10]
    np.testing.assert_allclose(np.median(inner, axis=(2, 3)), [[2, 1]] * 3, atol=0.1)
    np.testing.assert_array_equal(flow[2], flow[1])
    assert not optical_flow(moving[:1]).any()


def test_colours_are_normalised_and_flow_bounded():
    frames = np.random.default_rng(0).integers(0, 256, (3, 128, 64, 3), dtype=np.uint8)
    seen = colour_and_flow(frames)
    assert seen.shape == (3, 5, SIZE[1], SIZE[0])
    np.testing.assert_allclose(seen[:, :3].mean(axis=(2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(seen[:, :3].std(axis=(2, 3)), 1, atol=1e-4)
    assert np.abs(seen[:, 3:]).max() <= 1
    assert not colour_and_flow(np.full((2, 8, 8, 3), 7, dtype=np.uint8)).any()


def test_the_recurrence_against_a_loop():
    torch.manual_seed(0)
    network = RCNNetwork((16, 8), persons=3, features=6, dropout=0.5).eval()
    sequences = torch.randn(2, 4, 5, 16, 8)
    with torch.no_grad():
        found = network(sequences)
        for sequence, vector in zip(sequences, found, strict=True):
            memory, outputs = torch.zeros(6), []
            for frame in sequence:
                features = network.spatial(frame[None])[0]
                output = network.input.weight @ features + network.input.bias
                output = output + network.recurrent.weight @ memory
                memory = torch.tanh(output)
                outputs.append(output)
            torch.testing.assert_close(vector, torch.stack(outputs).mean(dim=0))


def test_the_network_has_the_sizes_of_the_paper():
    network = RCN().build(np.zeros((1, 5, CROP[1], CROP[0])), persons=7)
    sizes = {name: tuple(value.shape) for name, value in network.named_parameters()}
    assert [size for size in sizes.values() if len(size) == 4] == [
        (16, 5, 5, 5),
        (32, 16, 5, 5),
        (32, 32, 5, 5),
    ]
    assert sizes["spatial.11.weight"] == (128, 32 * 7 * 5)
    assert sizes["recurrent.weight"] == (128, 128)
    assert sizes["classifier.weight"] == (7, 128)


def test_augmentation_crops_and_mirrors_all_frames_alike():
    generator = np.random.default_rng(0)
    sequence = generator.normal(size=(3, 5, SIZE[1], SIZE[0]))
    sequence[:] = sequence[:1]
    baseline = RCN()
    views = [baseline.view(sequence, generator) for _ in range(20)]
    assert {view.shape for view in views} == {(3, 5, CROP[1], CROP[0])}
    assert all((view[0] == view[2]).all() for view in views)
    plain = sequence[0][:, 4:60, 4:44]
    np.testing.assert_array_equal(baseline.view(sequence, None)[0], plain)
    mirrored = [view for view in views if not _is_part(view[0, 0], sequence[0, 0])]
    assert 4 <= len(mirrored) <= 16
    for view in mirrored:
        assert _is_part(view[0, 4, :, ::-1], sequence[0, 4])
        assert _is_part(-view[0, 3, :, ::-1], sequence[0, 3])


def _is_part(part, whole):
    windows = np.lib.stride_tricks.sliding_window_view(whole, part.shape)
    return (windows == part).all(axis=(2, 3)).any()


def test_the_loss_adds_both_identities():
    torch.manual_seed(0)
    baseline = RCN()
    baseline.network = RCNNetwork((16, 8), persons=3, features=6, dropout=0.5)
    left, right = torch.randn(2, 2, 6)
    who = torch.tensor([[0, 1], [0, 2]])
    found = baseline.loss(left, right, torch.tensor([True, False]), who).item()
    distances = [np.linalg.norm((a - b).numpy()) for a, b in zip(left, right, strict=True)]
    expected = (distances[0] ** 2 + max(2 - distances[1], 0) ** 2) / 2 / 2
    weight, bias = (value.detach().numpy() for value in network_of(baseline))
    for vectors, persons in ((left, who[0]), (right, who[1])):
        for vector, person in zip(vectors.numpy(), persons.tolist(), strict=True):
            scores = weight @ vector + bias
            expected -= (scores[person] - np.log(np.exp(scores).sum())) / 2
    assert found == pytest.approx(expected, rel=1e-5)


def network_of(baseline):
    return baseline.network.classifier.weight, baseline.network.classifier.bias


def test_the_vectors_are_the_same_whatever_threads_the_machine_offers(people):
    """Here sums of a step depend on their number."""
    found = set()
    for offered in (1, 2, 3):  # the fixture restores it
        torch.set_num_threads(offered)
        baseline = RCN(epochs=1, frames=4, progress=False).fit(people.clips(range(3)))
        assert torch.get_num_threads() == offered
        found.add(baseline.describe(people.frames(0, 0)).tobytes())
        assert torch.get_num_threads() == offered
    assert len(found) == 1


def test_the_option_decides_on_the_threads_of_a_step(people, monkeypatch):
    seen = []
    loss = RCN.loss

    def noted(self, *arguments):
        seen.append(torch.get_num_threads())
        return loss(self, *arguments)

    monkeypatch.setattr(RCN, "loss", noted)
    for threads in (1, 2):
        RCN(epochs=1, frames=2, threads=threads, progress=False).fit(people.clips(range(2)))
    assert seen == [1] * (len(seen) // 2) + [2] * (len(seen) // 2)
