"""Reading frames in threads beside reading them in processes.

    uv run python benchmarks/decoding.py --json FILE

What is read is what an extraction for a GPU, or a step of training of the whole backbone, waits
for: JPEG files of 128 x 256 are hashed, decoded, and prepared for ResNet-50 (256 x 128). ``one
thread`` does so in the calling thread; ``threads`` as `CubeExtraction` does, in batches of 16;
``processes`` are those of torch's DataLoader, which have an interpreter each but send what they
prepared through shared memory. As many as there are processors.

``ratio`` is one thread's time over the variant's.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import _record
import torch
from extraction import draw
from torch.utils.data import DataLoader

from wherewhen.features.backbones import Backbone, build_backbone
from wherewhen.features.extraction import read_frame
from wherewhen.features.frames import prepared
from wherewhen.features.weights import WeightsSource
from wherewhen.tracklets.fingerprint import file_sha256
from wherewhen.tracklets.threads import in_threads, processors

BATCH = 16


class Batches(torch.utils.data.Dataset):
    """Batches of frames, read and prepared."""

    def __init__(self, backbone: Backbone, folder: Path, paths: list[str]) -> None:
        self.backbone = backbone
        files = [folder / path for path in paths]
        hashed = [(file, file_sha256(file)) for file in files]
        self.batches = [hashed[at : at + BATCH] for at in range(0, len(hashed), BATCH)]

    def __len__(self) -> int:
        """Batches."""
        return len(self.batches)

    def __getitem__(self, index: int) -> torch.Tensor:
        """Return a batch, [N, 3, height, width]."""
        return prepared(self.backbone, [read_frame(*frame) for frame in self.batches[index]])


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--frames", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--workers", type=int, default=processors())
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    weights = WeightsSource(source="random", seed=0)
    backbone = build_backbone("timm:resnet50:stride1", weights, size=(256, 128))

    with tempfile.TemporaryDirectory() as name:
        _, table = draw(Path(name), arguments.frames)
        data = Batches(backbone, Path(name), table.path.to_list())
        workers = arguments.workers
        loader = DataLoader(
            data,
            batch_size=None,
            num_workers=workers,
            persistent_workers=True,  # started once, before what is timed
            multiprocessing_context="fork",
        )
        read = data.__getitem__
        variants: dict[str, Callable[[], int]] = {
            "one thread": lambda: sum(len(read(index)) for index in range(len(data))),
            f"{workers} threads": lambda: sum(
                map(len, in_threads(read, range(len(data)), workers, 4 + workers))
            ),
            f"{workers} processes": lambda: sum(map(len, loader)),
        }
        for variant, run in variants.items():
            if run() != arguments.frames:
                raise AssertionError(f"{variant} read another number of frames")
        seconds = _record.interleaved(variants, arguments.repeats)
    rows = _record.rows(seconds, baseline="one thread")
    for row in rows:
        row["frames_per_second"] = arguments.frames / row["seconds"]
    _record.write(arguments.json, "decoding", rows, ("torch", "torchvision", "timm"))


if __name__ == "__main__":
    main()
