"""The validation curve: how well held-out persons are re-identified during training (Fig 5)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from wherewhen.model.siamese import Encoding, SiameseNetwork
from wherewhen.retrieval import evaluate
from wherewhen.retrieval.distances import cosine
from wherewhen.tracklets.cubes import CubeReader
from wherewhen.training.clips import Clips, clip_source
from wherewhen.training.config import TrainingConfig
from wherewhen.training.losses import TrainingLoss, scheduled_values
from wherewhen.training.pairs import Batch, PairSampler
from wherewhen.training.step import compare

MEASURES = ("validation_loss", "validation_rank_1", "validation_map")
"""Columns of the history: Eq 9 with the initial lambda and no optional terms; rank-1 and mAP of the
same clips by cosine, protocol ``cross_camera`` (every clip is a probe, the clips of other cameras
are its gallery)."""


class BestPoint:
    """The best point of the validation curve, and the points since.

    Parameters
    ----------
    config
        ``monitor, patience``.

    Examples
    --------
    >>> best = BestPoint(TrainingConfig(monitor="validation_map", patience=1))
    >>> [best.add(step, {"validation_map": value}) for step, value in ((5, 0.4), (10, 0.3))]
    [True, False]
    >>> best.step, best.out_of_patience
    (5, True)
    """

    def __init__(self, config: TrainingConfig) -> None:
        self.monitor, self.patience = config.monitor, config.patience
        self.step: int | None = None
        self.value = float("nan")
        self.points_since = 0

    @property
    def out_of_patience(self) -> bool:
        """Whether `patience` points in a row brought no improvement."""
        return self.patience is not None and self.points_since >= self.patience

    def add(self, step: int, measured: dict[str, float]) -> bool:
        """Add a point; return whether it is the best. NaN never is."""
        value = measured[self.monitor]
        sign = -1.0 if self.monitor == "validation_loss" else 1.0
        is_best = np.isfinite(value) and (self.step is None or sign * value > sign * self.value)
        if is_best:
            self.step, self.value, self.points_since = step, value, 0
        else:
            self.points_since += 1
        return bool(is_best)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"step": self.step, "value": self.value, "points_since": self.points_since}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.step, self.value = state["step"], state["value"]
        self.points_since = state["points_since"]


class Validation:
    """Measures a network on clips of the validation persons, the same at every point.

    Parameters
    ----------
    network
        The network.
    cubes
        Cubes of the validation persons, reduced (`wherewhen.training.clips.reduced`).
    sampler
        Draws pairs of the validation persons.
    config
        Loss, frames and seed.
    device
        Device of the network.
    """

    def __init__(
        self,
        network: SiameseNetwork,
        cubes: CubeReader,
        sampler: PairSampler,
        config: TrainingConfig,
        device: torch.device,
    ) -> None:
        self.network = network
        self.device = device
        self.micro_batch = config.micro_batch
        self.source = clip_source(cubes, config.frames, device)
        self.batches = list(sampler.epoch(np.random.default_rng(config.seed)))
        self.loss = TrainingLoss(
            config, network.embedding_size, len(sampler.everybody), optional=False
        )
        first = scheduled_values(config, 0, 1)
        self.scheduled = {name: torch.tensor(value, device=device) for name, value in first.items()}

    def measure(self) -> dict[str, float]:
        """Return the `MEASURES`, computed in evaluation mode."""
        self.network.eval()
        try:
            with torch.no_grad():
                measured = [self._measure(batch) for batch in self.batches]
        finally:
            self.network.train()
        losses, embeddings = zip(*measured, strict=True)
        weights = [len(batch.left) for batch in self.batches]
        loss = float(np.average(losses, weights=weights))
        return dict(zip(MEASURES, (loss, *self._ranks(np.concatenate(embeddings))), strict=True))

    def _measure(self, batch: Batch) -> tuple[float, np.ndarray]:
        clips = self.source.hand_over(self.source.load(batch.windows))
        encoding = self._encode(clips)
        terms = self.loss(
            self.network.pairwise_logits,
            encoding,
            clips.mask,
            compare(batch, self.device),
            self.scheduled,
        )
        return terms["loss"].item(), encoding.embedding.float().cpu().numpy()

    def _encode(self, clips: Clips) -> Encoding:
        size = self.micro_batch or len(clips.cubes)
        parts = zip(clips.cubes.split(size), clips.mask.split(size), strict=True)
        encodings = [
            self.network.encode_reduced(cubes, None if clips.whole else mask, trusted=True)
            for cubes, mask in parts
        ]
        encoding = Encoding(*(torch.cat(tensors) for tensors in zip(*encodings, strict=True)))
        return encoding._replace(embedding=self.network.neck(encoding.embedding))

    def _ranks(self, embeddings: np.ndarray) -> tuple[float, float]:
        """Rank-1 and mAP; NaN if an embedding is not finite."""
        if not np.isfinite(embeddings).all():
            return float("nan"), float("nan")
        persons = np.concatenate([batch.persons for batch in self.batches]).astype(str)
        cameras = np.concatenate([batch.cameras for batch in self.batches])
        distances = cosine(embeddings, embeddings)
        found = evaluate(distances, persons, persons, cameras, cameras, "cross_camera", max_rank=1)
        return float(found.cmc[0]), found.mean_ap
