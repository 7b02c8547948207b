"""Siamese training of the baselines that learn a network: pairs, contrastive loss, the loop."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from wherewhen.baselines.base import Baseline, Clip
from wherewhen.model.threads import torch_threads
from wherewhen.tracklets.clips import cyclic_positions, training_window


class Pair(NamedTuple):
    """Indices of two training clips, and whether they show the same person."""

    left: int
    right: int
    same: bool


def contrastive_loss(left: Tensor, right: Tensor, same: Tensor, margin: float) -> Tensor:
    """Compute the contrastive loss of Hadsell, Chopra and LeCun (CVPR 2006) of pairs of vectors.

    It is the mean over the pairs, [B, D] and [B, D], of d^2 / 2 where they show the same person
    (bool [B]) and of max(margin - d, 0)^2 / 2 where they do not.
    """
    distance = nn.functional.pairwise_distance(left, right, eps=1e-8)
    short = (margin - distance).clamp(min=0)
    return torch.where(same, distance, short).square().mean() / 2


def alternating_pairs(
    persons: Sequence[str], cameras: Sequence[str], generator: np.random.Generator
) -> list[Pair]:
    """Draw the pairs of an epoch from the persons and cameras of all clips.

    For each person in several cameras, in random order, there is a positive pair and then a
    negative one, both across cameras.

    Raises
    ------
    ValueError
        If no person is in two cameras, or nobody else is in another one.
    """
    persons, cameras = np.asarray(persons), np.asarray(cameras)
    cameras_of = {person: np.unique(cameras[persons == person]) for person in np.unique(persons)}
    several = [person for person, by in cameras_of.items() if len(by) > 1]
    if not several:
        raise ValueError(
            f"{len(cameras_of)} persons in {len(set(cameras))} cameras make no pairs: expected a "
            "person seen by two cameras"
        )
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
    return pairs


@dataclass(eq=False, kw_only=True)
class SiameseBaseline(Baseline):
    """A network trained to map clips of one person close together and of two persons apart.

    The input of each training clip is computed once and kept in memory as float16. The same seed,
    number of threads and device give the same weights, bit for bit.

    A subclass defines the input (`look`), the network (`build`) and the `optimiser`; it may augment
    (`view`) and extend the `loss`.

    Parameters
    ----------
    epochs : int
        In each, every training person has one positive and one negative pair.
    frames : int
        T of a training sequence, consecutive frames at a random position; shorter clips repeat.
    batch : int
        Pairs a step; positive and negative ones in turns.
    rate : float
        Learning rate.
    margin : float
        Of the contrastive loss.
    seed : int
        Of weights, pairs, sequences and augmentation.
    device : str
        Torch device.
    threads : int
        CPU threads of a training step. It is fixed because the order of sums, and with it the last
        digits, depends on it.
    clips_per_camera : int
        The most training clips of a person in a camera, spread over all of them.
    progress : bool
        Show progress bars.

    Attributes
    ----------
    network : torch.nn.Module or None
        After `fit`.
    losses : list of float
        Mean loss of each epoch.

    See Also
    --------
    wherewhen.baselines.rcn.RCN, wherewhen.baselines.s_lstm.SLSTM : Subclasses.
    """

    epochs: int
    frames: int
    batch: int
    rate: float = 1e-3
    margin: float = 2.0
    seed: int = 0
    device: str = "cpu"
    threads: int = 2
    clips_per_camera: int = 4
    progress: bool = True
    network: nn.Module | None = field(init=False, repr=False, default=None)
    losses: list[float] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        least = {"frames": 1, "batch": 1, "threads": 1, "clips_per_camera": 1, "epochs": 0}
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                raise ValueError(f"{name} is {getattr(self, name)}: expected at least {smallest}")
        if self.margin <= 0:
            raise ValueError(f"margin is {self.margin}: expected more than 0")

    @abstractmethod
    def look(self, frames: np.ndarray) -> np.ndarray:
        """Input of the network, float [T, ...], from frames, uint8 [T, H, W, 3]."""

    @abstractmethod
    def build(self, example: np.ndarray, persons: int) -> nn.Module:
        """Build the network, from [B, T, ...] to vectors [B, D]; `example` is one [T, ...]."""

    @abstractmethod
    def optimiser(self, network: nn.Module) -> torch.optim.Optimizer:
        """Build the optimiser."""

    def view(self, sequence: np.ndarray, generator: np.random.Generator | None) -> np.ndarray:
        """Augment a sequence [T, ...] at random, or, without a generator, always alike."""
        return sequence

    def loss(self, left: Tensor, right: Tensor, same: Tensor, who: Tensor) -> Tensor:
        """Loss of a batch of vectors [B, D]; `who` has the numbers of the persons, [2, B]."""
        return contrastive_loss(left, right, same, self.margin)

    def fit(self, clips: Sequence[Clip]) -> Self:
        """Train the network on clips of training persons.

        Raises
        ------
        ValueError
            If the clips make no pairs.
        FloatingPointError
            If the loss becomes NaN or infinite, naming the batch.
        """
        clips = _spread(clips, self.clips_per_camera)
        persons, cameras = ([getattr(clip, of) for clip in clips] for of in ("person", "camera"))
        generator = np.random.default_rng(self.seed)
        alternating_pairs(persons, cameras, np.random.default_rng(self.seed))  # fails before work
        reading = tqdm(clips, desc="read clips", unit="clip", disable=not self.progress)
        seen = [self._seen(clip.frames()) for clip in reading]
        names, who = np.unique(persons, return_inverse=True)
        device = torch.device(self.device)
        cuda = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=cuda), torch_threads(self.threads):
            torch.manual_seed(self.seed)
            example = self.view(seen[0], None)
            self.network = self.build(example, len(names)).to(device).train()
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
                        raise FloatingPointError(
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
        """Vector of a clip by the trained network, float64 [D].

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
        """Draw the sequences of a batch of pairs and compute the loss."""
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
    """Keep at most `count` clips of a person in a camera, evenly spaced, in their order."""
    groups: dict[tuple[str, str], list[int]] = {}
    for index, clip in enumerate(clips):
        groups.setdefault((clip.person, clip.camera), []).append(index)
    kept = [
        group[at]
        for group in groups.values()
        for at in np.unique(np.linspace(0, len(group) - 1, min(count, len(group))).astype(int))
    ]
    return [clips[index] for index in sorted(kept)]
