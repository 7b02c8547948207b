"""Batches that memory does not hold: halved where that changes nothing, else refused by name."""

import hashlib
import resource
from contextlib import contextmanager
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from wherewhen.commands import plain_errors
from wherewhen.features.backbones import Backbone, Preprocessing
from wherewhen.features.extraction import CubeExtraction
from wherewhen.memory import WithinMemory
from wherewhen.model.config import NetworkConfig
from wherewhen.model.encode import encode_tracklets
from wherewhen.model.siamese import build_network
from wherewhen.tracklets.cubes import ArrayCubes
from wherewhen.tracklets.windows import Window
from wherewhen.training.config import TrainingConfig
from wherewhen.training.loop import train
from wherewhen.training.run import BatchTooLarge, Run

ON_A_CPU = RuntimeError(
    "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you "
    "tried to allocate 9000000000 bytes. Error code 12 (Cannot allocate memory)"
)
EXHAUSTED = [MemoryError(), ON_A_CPU, torch.OutOfMemoryError("CUDA out of memory.")]

MIB = 2**20


@contextmanager
def at_most(more):
    """Let this process take no more than so many bytes beside those that it has."""
    status = Path("/proc/self/statm")
    if not status.exists():
        pytest.skip("how much this process has is known on Linux alone")
    before = resource.getrlimit(resource.RLIMIT_AS)
    has = int(status.read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (has + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


class TestWithinMemory:
    """A batch that memory does not hold is computed in halves, to the same values."""

    @staticmethod
    def within(most, error):
        sizes = []

        def work(cubes, mask):
            sizes.append(len(cubes))
            if len(cubes) > most:
                raise error
            return cubes.sum(1).tolist()

        return WithinMemory(work, lambda cubes, mask: f"{len(cubes)} are too large"), sizes

    @pytest.fixture
    def batch(self):
        cubes = torch.arange(14.0).reshape(7, 2)
        return cubes, cubes % 3 == 0

    def test_a_batch_that_fits_is_computed_at_once(self, batch):
        compute, sizes = self.within(7, MemoryError())
        assert compute(*batch) == [batch[0].sum(1).tolist()]
        assert sizes == [7]

    @pytest.mark.parametrize("error", EXHAUSTED, ids=["python", "cpu", "gpu"])
    def test_one_that_does_not_is_halved_and_so_are_all_that_follow(self, batch, error, caplog):
        compute, sizes = self.within(2, error)
        for _ in range(2):
            assert [value for part in compute(*batch) for value in part] == [
                1.0, 5.0, 9.0, 13.0, 17.0, 21.0, 25.0
            ]  # fmt: skip
        assert sizes == [7, 3, 1, 1, 1, 1, 1, 1, 1] + 7 * [1]
        assert "a batch of 7: it is computed in parts of 3 from now on" in caplog.text

    def test_other_errors_pass(self, batch):
        compute, _ = self.within(0, RuntimeError("another fault"))
        with pytest.raises(RuntimeError, match="another fault"):
            compute(*batch)

    def test_an_item_that_is_too_large_by_itself_is_refused(self, batch):
        compute, _ = self.within(0, ON_A_CPU)
        with pytest.raises(MemoryError, match="7 are too large"):
            compute(*batch)


class TestExtraction:
    FRAMES = 96

    @pytest.fixture
    def dataset(self, tmp_path):
        root, generator, rows = tmp_path, np.random.default_rng(0), []
        for number in range(self.FRAMES):
            path = root / f"{number}.png"
            Image.fromarray(generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path)
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            rows.append(("t", number, number, path.name, 16, 16, sha256))
        columns = ["tracklet", "position", "frame", "path", "width", "height", "sha256"]
        tracklets = pd.DataFrame(
            {"tracklet": ["t"], "person": ["p"], "camera": ["c"], "length": [self.FRAMES]}
        )
        return root, tracklets, pd.DataFrame(rows, columns=columns)

    @pytest.fixture
    def extraction(self, dataset):
        """All frames in one batch."""
        torch.manual_seed(0)
        module = torch.nn.Sequential(
            torch.nn.Conv2d(3, 64, kernel_size=3, padding=1), torch.nn.AdaptiveAvgPool2d(4)
        )
        backbone = Backbone("wide", module, Preprocessing(size=(64, 64)), {"name": "wide"})
        return CubeExtraction(backbone, *dataset, batch_size=self.FRAMES, readers=1)

    def test_a_batch_is_halved_to_the_same_cubes(self, extraction, caplog, monkeypatch):
        """What memory a process has left beside other tests differs: the error is torch's own."""
        whole, compute = extraction.cubes_of("t"), extraction.backbone.compute

        def limited(images):
            if len(images) > 48:
                raise ON_A_CPU
            return compute(images)

        monkeypatch.setattr(extraction.backbone, "compute", limited)
        found = extraction.cubes_of("t")
        assert "memory does not hold a batch of 96: it is computed in parts of 48" in caplog.text
        np.testing.assert_allclose(found, whole, rtol=1e-3, atol=1e-3)

    def test_a_frame_that_is_too_large_is_named(self, extraction, monkeypatch):
        def fail(images):
            raise ON_A_CPU

        monkeypatch.setattr(extraction.backbone, "compute", fail)
        with pytest.raises(MemoryError, match=r"one frame of 64 x 64 on cpu\. Ways out: a smaller"):
            extraction.cubes_of("t")


def test_clips_are_encoded_in_halves_to_the_same_embeddings(caplog, monkeypatch):
    """A batch of 32 clips has 98 MiB of cubes alone."""
    frames = np.random.default_rng(0).random((64, 7, 7, 256)).astype(np.float16)
    reader = ArrayCubes({"t": frames})
    windows = [Window("t", first % 8, 64) for first in range(32)]
    network = build_network(NetworkConfig(projection=4, channels=[4]), 256, 7)
    whole = encode_tracklets(network, reader, windows, 32, progress=False)
    with at_most(80 * MIB):
        found = encode_tracklets(network, reader, windows, 32, progress=False)
    assert "memory does not hold a batch of 32: it is computed in parts of 16" in caplog.text
    np.testing.assert_allclose(found.embeddings, whole.embeddings, atol=1e-6)


class TestTraining:
    """The loss compares all clips of a batch: halves would be another training."""

    @pytest.fixture
    def started(self, tmp_path, monkeypatch):
        """Return a function that trains until the second step is too large."""
        generator = np.random.default_rng(0)
        names = [f"{camera}{person}" for camera in "ab" for person in range(4)]
        cubes = ArrayCubes(
            {name: generator.random((6, 2, 2, 3)).astype(np.float16) for name in names}
        )
        tracklets = pd.DataFrame(
            {"tracklet": names, "person": [n[1] for n in names], "camera": [n[0] for n in names]}
        )
        network = build_network(NetworkConfig(projection=2, channels=[2]), 3, 2)
        differentiate = Run._differentiate

        def fail(run, *given):
            if run.step == 1:
                raise ON_A_CPU
            return differentiate(run, *given)

        monkeypatch.setattr(Run, "_differentiate", fail)

        def start(**options):
            config = TrainingConfig(
                steps=3, frames=4, persons_per_batch=3, checkpoint_every=1, threads=1,
                checkpoint_seconds=0, validation_fraction=0, **options,
            )  # fmt: skip
            train(network, cubes, tracklets, None, config, tmp_path, progress=False, device="cpu")

        return start

    def test_a_step_that_is_too_large_names_the_ways_out(self, started, tmp_path, caplog):
        with pytest.raises(BatchTooLarge) as caught:
            started()
        for said in (
            "step 2: memory on cpu does not hold a batch of 4 clips of 4 frames",
            "train.training.micro_batch: 2 (the same gradient up to rounding)",
            "a smaller train.training.persons_per_batch (3) or frames (4), which is another",
            "The last checkpoint is kept",
        ):
            assert said in str(caught.value)
        assert list(tmp_path.iterdir())

    def test_with_parts_it_names_smaller_parts(self, started):
        with pytest.raises(BatchTooLarge, match=r"micro_batch: 2 \("):
            started(micro_batch=4)

    def test_statistics_of_a_batch_allow_no_parts(self, started):
        with pytest.raises(BatchTooLarge) as caught:
            started(batch_statistics=True)
        assert "micro_batch" not in str(caught.value)


@pytest.mark.parametrize("error", EXHAUSTED[:2], ids=["python", "cpu"])
def test_elsewhere_a_command_says_what_to_do(error):
    @plain_errors
    def command():
        raise error

    with pytest.raises(click.ClickException) as caught:
        command()
    assert caught.value.message.startswith("out of memory: ")
    assert "what is whole is kept" in caught.value.message
