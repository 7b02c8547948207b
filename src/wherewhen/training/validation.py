"""How persons who are not trained on are told apart while training goes on (the curve of Fig 5)."""

from __future__ import annotations

import numpy as np
import torch

from wherewhen.model.cubes import CubeReader
from wherewhen.model.siamese import Encoding, SiameseAttentionNetwork
from wherewhen.retrieval import evaluate
from wherewhen.retrieval.distances import cosine
from wherewhen.training.clips import Clips, clip_source
from wherewhen.training.config import TrainingConfig
from wherewhen.training.losses import TrainingLoss, scheduled_values
from wherewhen.training.pairs import Batch, PairSampler
from wherewhen.training.step import compare

MEASURES = ("validation_loss", "validation_rank_1", "validation_map")
"""Names in the history: Eq 9 with the first lambda and without additional terms, and rank-1 and
mAP of the same clips by the cosine of their embeddings, every clip a probe and those of other
cameras its gallery. The protocol is ``cross_camera``; few persons give coarse ranks."""


class Validation:
    """Measures a network on clips of the validation persons that are always the same.

    Parameters
    ----------
    network
        What is measured.
    cubes
        Where the cubes are.
    sampler
        Of the validation persons.
    config
        Loss, frames and seed.
    device
        Of the network.
    """

    def __init__(
        self,
        network: SiameseAttentionNetwork,
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
        """Return the `MEASURES`; the network is in evaluation mode for the time being."""
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
            self.network.encode(cubes, None if clips.whole else mask, trusted=True)
            for cubes, mask in parts
        ]
        return Encoding(*(torch.cat(tensors) for tensors in zip(*encodings, strict=True)))

    def _ranks(self, embeddings: np.ndarray) -> tuple[float, float]:
        """Rank-1 and mAP, NaN if the embeddings are no numbers."""
        if not np.isfinite(embeddings).all():
            return float("nan"), float("nan")
        persons = np.concatenate([batch.persons for batch in self.batches]).astype(str)
        cameras = np.concatenate([batch.cameras for batch in self.batches])
        distances = cosine(embeddings, embeddings)
        found = evaluate(distances, persons, persons, cameras, cameras, "cross_camera", max_rank=1)
        return float(found.cmc[0]), found.mean_ap
