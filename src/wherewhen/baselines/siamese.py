"""Siamese training of the baselines that learn a network: pairs, contrastive loss, the loop."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from wherewhen.baselines.base import Baseline, Clip
from wherewhen.model.threads import torch_threads
from wherewhen.tracklets.clips import cyclic_positions, training_window


class TrainingDiverged(ArithmeticError):
    """The loss of a baseline is no longer a number."""


class Pair(NamedTuple):
    """Two training clips, as positions in the list of all, and whether they show one person."""

    left: int
    right: int
    same: bool


def contrastive_loss(left: Tensor, right: Tensor, same: Tensor, margin: float) -> Tensor:
    """Compute the contrastive loss of Hadsell, Chopra and LeCun (CVPR 2006), mean over pairs.

    Parameters
    ----------
    left, right
        Vectors, [B, D].
    same
        Whether a pair shows one person, bool [B].
    margin
        m: how far apart two persons should be.

    Returns
    -------
    torch.Tensor
        Scalar: the mean of d^2 / 2 for one person, of max(m - d, 0)^2 / 2 for two.
    """
    distance = nn.functional.pairwise_distance(left, right, eps=1e-8)
    short = (margin - distance).clamp(min=0)
    return torch.where(same, distance, short).square().mean() / 2


def alternating_pairs(
    persons: Sequence[str], cameras: Sequence[str], generator: np.random.Generator
) -> list[Pair]:
    """Draw an epoch: for each person in turn a pair of theirs, then a pair of two persons.

    Parameters
    ----------
    persons, cameras
        Of every clip.
    generator
        Source of the draws.

    Returns
    -------
    list of Pair
        Positive and negative ones in turns, all across cameras; as many positive ones as there are
        persons seen by several cameras, in a drawn order.

    Raises
    ------
    ValueError
        If no person is seen by two cameras, or nobody else by another one.
    """
    persons, cameras = np.asarray(persons), np.asarray(cameras)
    cameras_of = {person: np.unique(cameras[persons == person]) for person in np.unique(persons)}
    several = [person for person, by in cameras_of.items() if len(by) > 1]
    pairs = []
    for person in generator.permutation(several):
        here, there = generator.choice(cameras_of[person], 2, replace=False)
        own = np.flatnonzero((persons == person) & (cameras == here))
        again = np.flatnonzero((persons == person) & (cameras == there))
        others = np.flatnonzero((persons != person) & (cameras != here))
        if not others.size:
            raise ValueError(f"camera {here}: expected other persons than {person} elsewhere")
        for partners, same in ((again, True), (others, False)):
            left, right = generator.choice(own), generator.choice(partners)
            pairs.append(Pair(int(left), int(right), same))
    if not pairs:
        raise ValueError(
            f"{len(cameras_of)} persons in {len(set(cameras))} cameras make no pairs: expected a "
            "person seen by two cameras"
        )
    return pairs


class SiameseBaseline(Baseline):
    """A network that learns to bring clips of one person together and of two apart.

    What it looks at is made of each training clip once and kept in memory as float16. Training is
    the same to the last bit for the same seed and number of threads, on the same device.

    A subclass says what it looks at (`look`), builds its network (`build`) and its optimiser, and
    may augment (`view`) and add to the loss (`loss`).

    Parameters
    ----------
    epochs
        How often every training person is shown, in one positive and one negative pair.
    frames
        T of a training sequence, consecutive frames drawn anew each time; shorter clips repeat.
    margin
        Of the contrastive loss.
    batch
        Pairs a step.
    seed
        Of weights, pairs, sequences and augmentation.
    device
        Of torch.
    threads
        Of a CPU, which compute a step of the training: not as many as the machine happens to have,
        since the last digits of sums depend on their number.
    clips_per_camera
        At most so many training clips of a person in a camera are kept, spread over all.
    progress
        Show progress bars.

    Attributes
    ----------
    network : torch.nn.Module
        After `fit`.
    losses : list of float
        Mean loss of each epoch, after `fit`.
    """

    def __init__(
        self,
        *,
        epochs: int,
        frames: int,
        margin: float,
        batch: int,
        seed: int,
        device: str,
        threads: int,
        clips_per_camera: int,
        progress: bool,
    ):
        counts = {
            "frames": frames,
            "batch": batch,
            "threads": threads,
            "clips_per_camera": clips_per_camera,
        }
        for name, value in counts.items():
            if value < 1:
                raise ValueError(f"{name} is {value}: expected at least 1")
        if epochs < 0:
            raise ValueError(f"epochs is {epochs}: expected at least 0")
        if margin <= 0:
            raise ValueError(f"margin is {margin}: expected more than 0")
        self.epochs, self.frames, self.margin, self.batch = epochs, frames, margin, batch
        self.seed, self.device, self.progress = seed, torch.device(device), progress
        self.threads, self.clips_per_camera = threads, clips_per_camera
        self.network: nn.Module | None = None
        self.losses: list[float] = []

    @abstractmethod
    def look(self, frames: np.ndarray) -> np.ndarray:
        """Turn frames, uint8 [T, H, W, 3], into what the network sees, float [T, ...]."""

    @abstractmethod
    def build(self, example: np.ndarray, persons: int) -> nn.Module:
        """Build the network, from [B, T, ...] to vectors [B, D]; `example` is one [T, ...]."""

    @abstractmethod
    def optimiser(self, network: nn.Module) -> torch.optim.Optimizer:
        """Build the optimiser."""

    def view(self, sequence: np.ndarray, generator: np.random.Generator | None) -> np.ndarray:
        """Augment a training sequence, [T, ...]; without a generator, leave nothing to chance."""
        return sequence

    def loss(self, left: Tensor, right: Tensor, same: Tensor, who: Tensor) -> Tensor:
        """Compute the loss of a batch from vectors [B, D]; `who` numbers the persons, [2, B]."""
        return contrastive_loss(left, right, same, self.margin)

    def fit(self, clips: Sequence[Clip]) -> Self:
        """Train the network on the training persons' clips.

        Parameters
        ----------
        clips
            Clips of training persons.

        Returns
        -------
        SiameseBaseline
            This baseline.

        Raises
        ------
        ValueError
            If the clips make no pairs.
        TrainingDiverged
            If the loss becomes NaN or infinite, naming the batch.
        """
        clips = _spread(clips, self.clips_per_camera)
        persons, cameras = ([getattr(clip, of) for clip in clips] for of in ("person", "camera"))
        generator = np.random.default_rng(self.seed)
        alternating_pairs(persons, cameras, np.random.default_rng(self.seed))  # fails before work
        reading = tqdm(clips, desc="read clips", unit="clip", disable=not self.progress)
        seen = [self._seen(clip.frames()) for clip in reading]
        names, who = np.unique(persons, return_inverse=True)
        cuda = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=cuda), torch_threads(self.threads):
            torch.manual_seed(self.seed)
            example = self.view(seen[0], None)
            self.network = self.build(example, len(names)).to(self.device).train()
            optimiser = self.optimiser(self.network)
            self.losses = []
            bar = tqdm(range(self.epochs), desc="train", unit="epoch", disable=not self.progress)
            for epoch in bar:
                pairs = alternating_pairs(persons, cameras, generator)
                losses = []
                for start in range(0, len(pairs), self.batch):
                    batch = pairs[start : start + self.batch]
                    loss = self._loss_of(batch, seen, who, generator)
                    if not torch.isfinite(loss):
                        shown = "; ".join(
                            f"{clips[pair.left].tracklet} and {clips[pair.right].tracklet}"
                            for pair in batch
                        )
                        raise TrainingDiverged(
                            f"the loss is {loss.item()} in epoch {epoch + 1}, batch "
                            f"{start // self.batch + 1} ({shown}): lower the rate, or look at "
                            "these clips"
                        )
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                    losses.append(loss.item())
                self.losses.append(float(np.mean(losses)))
                bar.set_postfix(loss=f"{self.losses[-1]:.3f}")
        self.network.eval()
        return self

    def describe(self, frames: np.ndarray) -> np.ndarray:
        """Ask the trained network.

        Raises
        ------
        RuntimeError
            If the network is not trained.
        """
        if self.network is None:
            raise RuntimeError(f"{type(self).__name__} describes nothing before `fit`")
        sequence = self.view(self._seen(frames), None)
        with torch.no_grad(), torch_threads(1):
            return self.network(self._tensor([sequence]))[0].double().cpu().numpy()

    def _seen(self, frames: np.ndarray) -> np.ndarray:
        return self.look(frames).astype(np.float16)

    def _tensor(self, sequences: Sequence[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(sequences)).to(self.device).float()

    def _loss_of(
        self,
        batch: Sequence[Pair],
        seen: Sequence[np.ndarray],
        who: np.ndarray,
        generator: np.random.Generator,
    ) -> Tensor:
        """Draw the sequences of a batch and compute their loss."""
        sides = np.array([pair[:2] for pair in batch]).T
        sequences = [self._draw(seen[index], generator) for index in sides.ravel()]
        left, right = self.network(self._tensor(sequences)).chunk(2)
        same = torch.tensor([pair.same for pair in batch], device=self.device)
        return self.loss(left, right, same, torch.from_numpy(who[sides]).to(self.device))

    def _draw(self, sequence: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        start = training_window(len(sequence), self.frames, generator)
        positions, _ = cyclic_positions(start, len(sequence), self.frames)
        return self.view(sequence[positions], generator)


def _spread(clips: Sequence[Clip], count: int) -> list[Clip]:
    """Keep at most so many clips of a person in a camera, spread over all, in their order."""
    groups: dict[tuple[str, str], list[int]] = {}
    for index, clip in enumerate(clips):
        groups.setdefault((clip.person, clip.camera), []).append(index)
    kept = [
        group[at]
        for group in groups.values()
        for at in np.unique(np.linspace(0, len(group) - 1, min(count, len(group))).astype(int))
    ]
    return [clips[index] for index in sorted(kept)]
