"""What changes bits on this machine: threads and batch sizes, of backbones and of a training.

uv run python benchmarks/determinism.py
"""

from __future__ import annotations

import tempfile

import numpy as np
import pandas as pd
import timm
import torch

from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import build_network
from wherewhen.tracklets.cubes import ArrayCubes
from wherewhen.training.config import TrainingConfig
from wherewhen.training.loop import train

BACKBONES = ("tf_efficientnet_lite0", "resnet18")
THREADS = (1, 2)
FRAMES, SIZES = 8, (8, 4, 2, 1)


def main() -> None:
    """Print what differs from one thread and the largest batch."""
    print(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}")  # noqa: T201
    for name in BACKBONES:
        torch.manual_seed(0)
        network = timm.create_model(name, features_only=True, out_indices=(-1,)).eval()
        frames, reference = torch.rand(FRAMES, 3, 224, 224), None
        for threads in THREADS:
            torch.set_num_threads(threads)
            for size in SIZES:
                with torch.inference_mode():
                    made = torch.cat([network(part)[0] for part in frames.split(size)])
                reference = made if reference is None else reference
                report(f"{name}, {threads} thread(s), batches of {size}", made, reference)
    reference = trained(THREADS[0])
    for threads in (*THREADS, THREADS[-1]):
        report(f"training, {threads} thread(s)", trained(threads), reference)


def trained(threads: int) -> torch.Tensor:
    """Return the weights of a small network after twenty steps."""
    generator = np.random.default_rng(0)
    names = [f"{camera}{person}" for camera in "ab" for person in range(8)]
    cubes = {name: generator.random((12, 7, 7, 64)).astype(np.float16) for name in names}
    people = {"person": [name[1:] for name in names], "camera": [name[0] for name in names]}
    tracklets = pd.DataFrame({"tracklet": names, **people})
    network = build_network(NetworkConfig(projection=32, channels=[32]), 64, 7)
    config = TrainingConfig(
        steps=20, frames=8, persons_per_batch=4, validation_fraction=0, threads=threads
    )
    with tempfile.TemporaryDirectory() as folder:
        train(network, ArrayCubes(cubes), tracklets, None, config, folder, progress=False,
              device="cpu")  # fmt: skip
    return torch.cat([value.flatten().float() for value in network.state_dict().values()])


def report(what: str, found: torch.Tensor, expected: torch.Tensor) -> None:
    """Print whether two results are the same bits, and how far they differ."""
    differing = (found.half() != expected.half()).float().mean()
    print(  # noqa: T201
        f"{what}: {'equal' if torch.equal(found, expected) else 'differs'}, largest difference "
        f"{(found - expected).abs().max():.1e} of {expected.abs().max():.1f}, "
        f"{differing:.1%} differ in float16",
        flush=True,
    )


if __name__ == "__main__":
    main()
