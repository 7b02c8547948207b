"""A step that trains the backbone: the step of the training beside a plain torch loop.

    uv run python benchmarks/fine_tuning.py --json FILE              ResNet-50, frames of 256 x 128
    uv run python benchmarks/fine_tuning.py --backbone timm:tf_efficientnet_lite0
    uv run python benchmarks/fine_tuning.py --device cuda --precision auto

Both take the same clips of pixels, two of every person, through the same backbone of timm, average
its activations over space and time, and compare all pairs (Eq 9); AdamW updates all weights. Batch
norms keep their statistics. The plain loop is what one writes first: timm's own network on all
frames at once, in float32 with channels first. The ``last:1`` rows train the last stage alone, from
cubes of the stages before as a store keeps them; ``recomputed`` keeps no activations. All variants
run interleaved in one process.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import _record
import timm
import torch
from torch import Tensor

from wherewhen.features.backbones import backbone_weights, build_backbone, build_trunk
from wherewhen.features.weights import WeightsSource
from wherewhen.model.config import NetworkConfig
from wherewhen.model.convolution import Execution, full_float32
from wherewhen.model.siamese import build_network
from wherewhen.model.similarity import ScaledCosine
from wherewhen.training.config import TrainingConfig
from wherewhen.training.losses import Compared, TrainingLoss
from wherewhen.training.losses.cross_entropy import pair_cross_entropy
from wherewhen.training.optimisation import Optimiser
from wherewhen.training.step import StepInputs, build_step

WEIGHTS = WeightsSource(source="random", seed=0)
RATE = 1e-6
"""Learning rate that leaves the weights where they are."""

CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
PLAIN = "plain loop, all"
HEAD = NetworkConfig(head="average", projection=None, standardise="none", location="mean")


def all_pairs(clips: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return the left and right clips of all pairs, and whether they show one person."""
    left, right = torch.triu_indices(clips, clips, 1, device=device)
    return left, right, left // 2 == right // 2


class PlainLoop:
    """The step as one writes it first, on timm's own network."""

    def __init__(self, name: str, pixels: Tensor, mean: Tensor, std: Tensor) -> None:
        self.network = timm.create_model(name.removeprefix("timm:"), num_classes=0)
        self.network.load_state_dict(backbone_weights(name, WEIGHTS))
        self.network.to(pixels.device).eval()
        self.frames = pixels.flatten(0, 1).permute(0, 3, 1, 2).contiguous()
        self.clips, self.mean, self.std = pixels.shape[:2], mean, std
        similarity = ScaledCosine().to(pixels.device)
        self.similarity = similarity.pairwise
        self.pairs = all_pairs(len(pixels), pixels.device)
        weights = [*self.network.parameters(), *similarity.parameters()]
        self.optimiser = torch.optim.AdamW(weights, lr=RATE)

    def __call__(self) -> Tensor:
        """Take the step; return the loss."""
        self.optimiser.zero_grad(set_to_none=True)
        images = (self.frames.float() / 255 - self.mean) / self.std
        vectors = self.network.forward_features(images).mean((2, 3))
        vectors = vectors.unflatten(0, self.clips).mean(1)
        vectors = torch.nn.functional.normalize(vectors, dim=1)
        left, right, same = self.pairs
        loss = pair_cross_entropy(self.similarity(vectors, vectors)[left, right], same, True)
        loss.backward()
        self.optimiser.step()
        return loss.detach()


class LibraryStep:
    """The step of the training, for what is trained of a backbone."""

    def __init__(
        self, name: str, trained: str, size: tuple[int, int], cubes: Tensor, **options: object
    ) -> None:
        device = cubes.device
        trunk = build_trunk(name, WEIGHTS, trained, size)
        *grid, channels = trunk.gives
        network = build_network(HEAD, channels, tuple(grid), trunk).to(device)
        network.execution = Execution("auto", str(options.pop("precision")))
        config = TrainingConfig(
            optimiser="adamw", learning_rate=RATE, penalty_weight=0.0, frames=cubes.shape[1],
            learning_rate_factors={}, **options,
        )  # fmt: skip
        network.train()
        trunk.recompute = config.recompute
        loss = TrainingLoss(config, network.embedding_size, persons=len(cubes) // 2).to(device)
        self.optimiser = Optimiser(network, config, loss)
        self.take = build_step(network, loss, self.optimiser.parameters, config, device)
        left, right, same = all_pairs(len(cubes), device)
        persons = torch.arange(len(cubes), device=device) // 2
        mask = torch.ones(cubes.shape[:2], dtype=torch.bool, device=device)
        compared = Compared(left, right, same, torch.ones_like(same), persons)
        scheduled = {"penalty_weight": torch.zeros((), device=device)}
        self.inputs = StepInputs(cubes, mask, compared, scheduled, whole=True)

    def __call__(self) -> Tensor:
        """Take the step; return the loss."""
        values = self.take(self.inputs)
        self.optimiser.step(1.0)
        return values["loss"]


def cubes_of(name: str, trained: str, size: tuple[int, int], pixels: Tensor) -> Tensor:
    """Make the cubes of the frozen part, in float16 as a store keeps them."""
    backbone = build_backbone(name, WEIGHTS, str(pixels.device), size=size, trained=trained)
    frames = pixels.flatten(0, 1).byte().cpu().numpy()
    parts = [backbone(frames[start : start + 16]) for start in range(0, len(frames), 16)]
    # cloned: what was computed for inference can't be differentiated through
    return torch.cat(parts).clone().half().unflatten(0, pixels.shape[:2])


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--backbone", default="timm:resnet50")
    parser.add_argument("--size", nargs=2, type=int, default=(256, 128))
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16", "auto"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    arguments = parser.parse_args()
    name, size, device = arguments.backbone, tuple(arguments.size), torch.device(arguments.device)
    shape = (arguments.clips, arguments.frames, *size, 3)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, shape, generator=generator).half().to(device)

    def step(trained: str, cubes: Tensor, **options: object) -> LibraryStep:
        precision = arguments.precision
        return LibraryStep(name, trained, size, cubes, precision=precision, **options)

    kept = cubes_of(name, "last:1", size, pixels)
    normalise = build_trunk(name, WEIGHTS, "all", size).enter
    std = 1 / (255 * normalise.scale)
    mean = normalise.shift * std
    with full_float32():
        steps: dict[str, Callable[[], Tensor]] = {
            PLAIN: PlainLoop(name, pixels, mean.to(device), std.to(device)),
            "all": step("all", pixels),
            "all, recomputed": step("all", pixels, recompute=True),
            "norms": step("norms", pixels),
            "last:1": step("last:1", kept),
        }

        losses: dict[str, Tensor] = {}

        def timed(variant: str) -> Callable[[], None]:
            def call() -> None:
                losses[variant] = steps[variant]()
                if device.type == "cuda":
                    torch.cuda.synchronize(device)

            return call

        seconds = _record.interleaved(
            {variant: timed(variant) for variant in steps},
            arguments.repeats,
            clock=CLOCKS[arguments.clock],
        )
    rows = _record.rows(seconds, PLAIN, str(device), arguments.precision)
    for row in rows:
        row["clips_per_second"] = arguments.clips / row["seconds"]
        row["loss"] = losses[row["variant"]].item()
    _record.write(arguments.json, "fine_tuning", rows, packages=("torch", "timm"))
    for row in rows:
        print(  # noqa: T201
            f"  {row['variant']:<20} {row['clips_per_second']:6.2f} clips/s, {row['ratio']:.2f} x"
        )


if __name__ == "__main__":
    main()
