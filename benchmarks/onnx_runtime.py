"""ONNX Runtime beside PyTorch on the CPU: the backbone and the network that ship, one thread each.

    OMP_NUM_THREADS=1 uv run python benchmarks/onnx_runtime.py --json FILE
    OMP_NUM_THREADS=1 uv run python benchmarks/onnx_runtime.py --clock processor   on a busy machine

The backbone takes a batch of resized frames, the network a batch of clips without padding. Both
run as exported by ``wherewhen.export``, interleaved with PyTorch in one process; ``ratio`` is
against PyTorch.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import _record
import numpy as np
import onnxruntime
import torch
from train_step import CLOCKS

from wherewhen import pretrained
from wherewhen.export import export_backbone, export_network
from wherewhen.features.backbones import Backbone
from wherewhen.model.siamese import SiameseNetwork

SIZES = {"images": 16, "clips": 8, "frames": 16}
PYTORCH, RUNTIME = "PyTorch", "ONNX Runtime"


def models() -> tuple[Backbone, SiameseNetwork]:
    """Return what is measured."""
    return pretrained.load_backbone(), pretrained.load_network()


def session_of(path: Path) -> onnxruntime.InferenceSession:
    """Open a file for one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def calls_of(size: dict[str, int], folder: Path) -> dict[str, dict[str, Callable[[], np.ndarray]]]:
    """Make the calls that are timed, by part and library."""
    backbone, network = models()
    export_backbone(backbone, folder / "backbone.onnx")
    export_network(network, folder / "network.onnx")
    sessions = {part: session_of(folder / f"{part}.onnx") for part in ("backbone", "network")}
    generator = np.random.default_rng(0)
    shape = (size["images"], 3, *backbone.preprocess.size)
    images = generator.integers(0, 256, shape, dtype=np.uint8)
    pixels = torch.from_numpy(images).contiguous(memory_format=torch.channels_last)
    shape = (size["clips"], size["frames"], *network.grid, network.channels)
    cubes = np.maximum(generator.standard_normal(shape, dtype=np.float32), 0)  # as a ReLU leaves it
    clips = {"cubes": cubes, "mask": np.ones(shape[:2], dtype=bool)}

    @torch.no_grad()
    def encode() -> np.ndarray:
        return network.encode(torch.from_numpy(cubes)).embedding.numpy()

    return {
        "backbone": {
            PYTORCH: lambda: backbone.compute(backbone.preprocess.normalise(pixels)).numpy(),
            RUNTIME: lambda: sessions["backbone"].run(["cubes"], {"images": images})[0],
        },
        "network": {
            PYTORCH: encode,
            RUNTIME: lambda: sessions["network"].run(["embedding"], clips)[0],
        },
    }


def main() -> None:
    """Time all calls in turn, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall")
    for name, value in SIZES.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    size = {name: getattr(arguments, name) for name in SIZES}
    with tempfile.TemporaryDirectory() as folder:
        calls = calls_of(size, Path(folder))
        named = {f"{part}, {name}": call for part, of in calls.items() for name, call in of.items()}
        seconds = _record.interleaved(named, arguments.repeats, CLOCKS[arguments.clock])
    rows = []
    for part, of in calls.items():
        mine = {name: values for name, values in seconds.items() if name.startswith(part)}
        rows += _record.rows(mine, baseline=f"{part}, {PYTORCH}", dtype="float32")
        exact = of[PYTORCH]()
        difference = np.linalg.norm(of[RUNTIME]() - exact) / np.linalg.norm(exact)
        rows[-1]["relative_difference"] = float(difference)
    _record.write(
        arguments.json,
        "onnx_runtime",
        rows,
        packages=("torch", "onnx", "onnxruntime", "onnxscript"),
        size=size,
        clock=arguments.clock,
        threads=1,
    )


if __name__ == "__main__":
    main()
