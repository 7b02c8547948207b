import threading
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from wherewhen.model.cubes import gather
from wherewhen.model.projection import CubeInput
from wherewhen.tracklets.clips import spread_positions
from wherewhen.tracklets.cubes import ArrayCubes
from wherewhen.tracklets.windows import SpreadFrames, Window
from wherewhen.training.clips import (
    Clips,
    PreloadedCubes,
    ResidentClips,
    StreamedClips,
    clip_source,
    load_clips,
    preload,
    reduced,
)

CPU = torch.device("cpu")


@dataclass
class Drawn:
    windows: list


def windows(cubes, seed, count):
    generator = np.random.default_rng(seed)
    names = sorted(cubes.lengths)
    chosen = [names[index] for index in generator.integers(len(names), size=count)]
    starts = [int(generator.integers(cubes.lengths[name])) for name in chosen]
    return [Window(n, s, min(s + 4, cubes.lengths[n])) for n, s in zip(chosen, starts, strict=True)]


def spread(cubes, seed, count):
    generator = np.random.default_rng(seed)
    chosen = generator.choice(sorted(cubes.lengths), count).tolist()
    drawn = [spread_positions(cubes.lengths[name], 4, generator) for name in chosen]
    return [SpreadFrames(n, tuple(d.tolist())) for n, d in zip(chosen, drawn, strict=True)]


@pytest.mark.parametrize("draw", [windows, spread])
def test_every_source_gives_the_same_clips(toy, draw):
    cubes, _ = toy(5)
    names = [cubes.whole(name) for name in sorted(cubes.lengths)]
    sources = [
        ResidentClips(PreloadedCubes(cubes, names), 4),
        StreamedClips(PreloadedCubes(cubes, names), 4, CPU),
        StreamedClips(cubes, 4, CPU),
    ]
    batches = [Drawn(draw(cubes, seed, count)) for seed, count in enumerate((3, 5, 2, 5))]
    for source in sources:
        found = load_clips(source, batches)
        for batch, (same, clips, waited) in zip(batches, found, strict=True):
            expected, mask = gather(cubes, batch.windows, 4)
            for window, clip, valid in zip(batch.windows, expected.numpy(), mask, strict=True):
                whole = cubes.read(cubes.whole(window.tracklet))
                own = whole[list(window.positions)]
                np.testing.assert_array_equal(clip[valid], own)
                np.testing.assert_array_equal(clip, own[np.arange(4) % len(own)])
            assert same is batch
            assert torch.equal(clips.cubes, expected)
            assert clips.cubes.dtype == torch.float16
            assert torch.equal(clips.mask, mask)
            assert clips.whole == mask.all()
            assert waited >= 0


def test_preloaded_cubes_are_those_of_the_reader(toy):
    cubes, tracklets = toy(3)
    chosen = list(tracklets["tracklet"])[1:4]
    kept = PreloadedCubes(cubes, [cubes.whole(name) for name in chosen])
    assert sorted(kept.lengths) == sorted(chosen)
    for name in chosen:
        for window in (cubes.whole(name), Window(name, 1, 3)):
            np.testing.assert_array_equal(kept.read(window), cubes.read(window))
    with pytest.raises(IndexError, match=r"frames 2 to 99 were asked for"):
        ResidentClips(kept, 4).load([Window(chosen[0], 2, 99)])


def test_a_frame_is_reduced_to_the_same_digits_in_every_window(toy):
    cubes, tracklets = toy(3)
    part = CubeInput(cubes.channels, None, "scale", basis=5)
    part.calibrate(torch.from_numpy(cubes.read(cubes.whole(name))) for name in cubes.lengths)
    small = reduced(cubes, part)
    name = tracklets["tracklet"][0]
    whole = small.read(small.whole(name))
    assert (small.shape, whole.dtype) == ((3, 3, 5), np.float16)
    assert (small.lengths, small.variants) == (cubes.lengths, cubes.variants)
    expected = part.reduce(torch.from_numpy(cubes.read(cubes.whole(name))))
    np.testing.assert_allclose(whole, expected.numpy(), rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(small.read(Window(name, 1, 2)), whole[1:2])
    np.testing.assert_array_equal(small.read(SpreadFrames(name, (0, 2))), whole[[0, 2]])
    assert reduced(cubes, CubeInput(cubes.channels, 4, "scale")) is cubes


def test_a_variant_is_not_a_tracklet_of_a_like_name():
    """Variants were once read by names such as `a variant 1`."""
    shape = (2, 3, 1, 1, 1)  # two variants of three frames
    cubes = ArrayCubes({"a": np.arange(6.0).reshape(shape), "a variant 1": np.full(shape, 9.0)})
    windows = [cubes.whole(name, variant) for name in cubes.lengths for variant in range(2)]
    for reader in (cubes, PreloadedCubes(cubes, windows)):
        clips = clip_source(reader, 3, CPU).load(windows)
        assert clips.cubes.flatten(1).tolist() == [[0, 1, 2], [3, 4, 5], [9, 9, 9], [9, 9, 9]]


def test_cubes_are_kept_where_there_is_room(toy):
    cubes, tracklets = toy(3)
    windows = [cubes.whole(name) for name in tracklets["tracklet"]]
    assert preload(cubes, windows, 0.0) is cubes
    kept = preload(cubes, windows, 1.0)
    assert isinstance(kept, PreloadedCubes)
    assert preload(kept, windows, 0.0) is kept
    assert isinstance(clip_source(kept, 4, CPU), ResidentClips)
    assert isinstance(clip_source(cubes, 4, CPU), StreamedClips)


class Source:
    """Notes when it loads, in the thread that it is told to."""

    ahead = True

    def __init__(self, notes, fails_at=None):
        self.notes, self.fails_at = notes, fails_at

    def load(self, window):
        if window == self.fails_at:
            raise OSError(f"batch {window} cannot be read")
        self.notes.append(("load", window, threading.current_thread() is threading.main_thread()))
        return Clips(torch.tensor(window), torch.tensor(True), whole=True)

    def hand_over(self, clips):
        return clips


def draw(notes, numbers):
    for number in numbers:
        notes.append(("draw", number))
        yield Drawn(number)


def test_the_next_batch_is_read_by_a_thread_during_the_step():
    notes = []
    for batch, clips, _ in load_clips(Source(notes), draw(notes, [0, 1, 2])):
        assert clips.cubes.item() == batch.windows
        notes.append(("step", batch.windows))
    drawn = [note for note in notes if note[0] != "load"]
    assert drawn == [
        *[("draw", 0), ("draw", 1), ("step", 0), ("draw", 2), ("step", 1), ("step", 2)]
    ]
    assert [note[1:] for note in notes if note[0] == "load"] == [(n, False) for n in range(3)]


def test_what_the_thread_cannot_read_is_raised_in_its_turn():
    steps = []
    with pytest.raises(OSError, match="batch 2 cannot be read"):
        for batch, _, _ in load_clips(Source([], fails_at=2), draw([], [0, 1, 2, 3])):
            steps.append(batch.windows)
    assert steps == [0, 1]


def test_a_loop_that_is_left_leaves_no_thread():
    loader = load_clips(Source([]), draw([], range(100)))
    next(loader)
    loader.close()
    assert not any("read cubes" in thread.name for thread in threading.enumerate())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_clips_that_are_streamed_to_a_gpu_or_kept_there_are_the_same(toy):
    cubes, _ = toy(5)
    gpu = torch.device("cuda", torch.cuda.current_device())
    kept = preload(cubes, list(map(cubes.whole, cubes.lengths)), 0.0, device=gpu, device_share=0.5)
    assert kept.cubes.device == gpu
    batches = [Drawn(windows(cubes, seed, 4)) for seed in range(6)]
    for reader in (kept, cubes):
        source = clip_source(reader, 4, gpu)
        for batch, clips, _ in load_clips(source, batches):
            expected, mask = gather(cubes, batch.windows, 4)
            assert torch.equal(clips.cubes.cpu(), expected)
            assert torch.equal(clips.mask.cpu(), mask)
