"""What a step minimises: Eq 9 of the batch's pairs, and the terms that a configuration adds."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from wherewhen.model.loss import PairLoss, batch_hard_triplet, entropy_gap
from wherewhen.training.config import TrainingConfig

PairwiseLogits = Callable[[Tensor, Tensor], Tensor]


class Compared(NamedTuple):
    """Which clips of a batch are compared and whom they show, as tensors on one device."""

    left: Tensor
    """``[P]``: index of each pair's one clip."""
    right: Tensor
    """``[P]``: index of its other clip."""
    same: Tensor
    """``[P]`` bool: whether both show one person."""
    counted: Tensor
    """``[P]`` bool: False for what only fills the shape up."""
    persons: Tensor
    """``[N]``: index of the person whom each clip shows."""


class Annealed(NamedTuple):
    """What changes from step to step in the loss."""

    penalty_weight: Tensor
    """Lambda of Eq 9, a scalar."""
    entropy_target: Tensor
    """Entropy at which the attention is held, a scalar."""


def annealed(config: TrainingConfig, step: int, total_steps: int) -> dict[str, float]:
    """Return lambda and the target of the entropy at a step, by the names in `Annealed`.

    Parameters
    ----------
    config
        ``penalty_weight, entropy_target``, their ``_end`` and ``attention_anneal``.
    step
        From 0.
    total_steps
        Steps of the run.
    """
    share = min(1.0, step / max(1.0, config.attention_anneal * total_steps))

    def between(first: float, last: float | None) -> float:
        return first if last is None else first + share * (last - first)

    return {
        "penalty_weight": between(config.penalty_weight, config.penalty_weight_end),
        "entropy_target": between(config.entropy_target, config.entropy_target_end),
    }


class IdentityHead(nn.Module):
    """Names the training person whom a clip shows: a cosine classifier with a learned scale.

    Parameters
    ----------
    size
        Entries E of an embedding.
    persons
        Training persons.
    smoothing
        Label smoothing.
    """

    def __init__(self, size: int, persons: int, smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.weight = nn.Parameter(torch.randn(persons, size))
        self.log_scale = nn.Parameter(torch.tensor(2.3))  # as the cosine of pairs starts

    def forward(self, embeddings: Tensor, persons: Tensor) -> Tensor:
        """Cross entropy of the persons ``[N]`` given embeddings ``[N, E]``, a mean over clips."""
        cosines = (
            nn.functional.normalize(embeddings, dim=1)
            @ nn.functional.normalize(self.weight, dim=1).mT
        )
        return nn.functional.cross_entropy(
            self.log_scale.exp() * cosines, persons, label_smoothing=self.smoothing
        )


class TrainingLoss(nn.Module):
    """Eq 9 and what is added to it.

    Parameters
    ----------
    config
        Terms and weights.
    embedding_size
        Entries E of an embedding.
    persons
        Training persons.
    """

    def __init__(self, config: TrainingConfig, embedding_size: int, persons: int) -> None:
        super().__init__()
        self.config = config
        self.pairs = PairLoss(
            config.penalty_weight,
            config.penalty == "reachable",
            config.balanced,
            config.hardest_negatives,
        )
        self.identity: IdentityHead | None = None
        if config.identity_weight > 0:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(config.seed)
                self.identity = IdentityHead(embedding_size, persons, config.identity_smoothing)

    def forward(
        self,
        pairwise_logits: PairwiseLogits,
        embeddings: Tensor,
        attention: Tensor,
        mask: Tensor,
        compared: Compared,
        now: Annealed,
    ) -> dict[str, Tensor]:
        """Loss and terms of a batch.

        Parameters
        ----------
        pairwise_logits
            Logits of all pairs of two sets of embeddings (Eq 8).
        embeddings, attention, mask
            ``[N, E]``, ``[N, T, K, K]`` and ``[N, T]`` of the clips.
        compared
            The pairs and persons.
        now
            Lambda and target of this step.

        Returns
        -------
        dict
            Scalars: ``loss``, and its terms before their weights, named as in the history; and
            ``pair_accuracy``, the share of pairs that are told right, a mean over the two kinds of
            pairs, or "no" to everything would look accurate.
        """
        config = self.config
        same, counted = compared.same, compared.counted
        logits = pairwise_logits(embeddings, embeddings)[compared.left, compared.right]
        loss, cross_entropy, penalty = self.pairs(
            logits, same, attention, mask, counted, now.penalty_weight
        )
        terms = {"cross_entropy": cross_entropy, "penalty": penalty}
        if config.entropy_weight > 0:
            terms["entropy_gap"] = entropy_gap(attention, mask, now.entropy_target)
            loss = loss + config.entropy_weight * terms["entropy_gap"]
        if config.triplet_weight > 0:
            terms["triplet"] = batch_hard_triplet(
                embeddings, compared.persons, config.triplet_margin
            )
            loss = loss + config.triplet_weight * terms["triplet"]
        if self.identity is not None:
            terms["identity"] = self.identity(embeddings, compared.persons)
            loss = loss + config.identity_weight * terms["identity"]
        told_right = (logits.detach() > 0) == same
        return {"loss": loss, **terms, "pair_accuracy": _balanced_mean(told_right, same, counted)}


def used_terms(config: TrainingConfig) -> list[str]:
    """Name the additional columns that a configuration's terms have in the history."""
    used = {
        "penalty_weight": config.penalty_weight_end is not None,
        "entropy_target": config.entropy_weight > 0 and config.entropy_target_end is not None,
        "entropy_gap": config.entropy_weight > 0,
        "triplet": config.triplet_weight > 0,
        "identity": config.identity_weight > 0,
    }
    return [name for name, is_used in used.items() if is_used]


def _balanced_mean(right: Tensor, same: Tensor, counted: Tensor) -> Tensor:
    kinds = torch.stack([counted & same, counted & ~same])
    means = (right & kinds).sum(1) / kinds.sum(1).clamp_min(1)
    return means.sum() / kinds.any(1).sum()
