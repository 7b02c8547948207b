"""What training minimises: cross entropy of pairs and the attention penalty (IV-B, Eq 9).

And what may be added to them: attention held at an entropy, and batch-hard triplets.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from wherewhen.model.attention import entropy


class LossTerms(NamedTuple):
    """The loss and its two terms, all scalar tensors."""

    loss: Tensor
    """``cross_entropy + weight * penalty``."""
    cross_entropy: Tensor
    """Mean over pairs."""
    penalty: Tensor
    """Mean over clips, before the weight."""


def pair_cross_entropy(
    logits: Tensor,
    same: Tensor,
    balanced: bool,
    hardest: float = 1.0,
    counted: Tensor | None = None,
) -> Tensor:
    """Binary cross entropy of pairs, the second term of Eq 9, as a mean.

    Parameters
    ----------
    logits
        ``[P]``.
    same
        Whether the pair shows one person, ``[P]``.
    balanced
        Give positives and negatives half of the weight each, however many there are.
    hardest
        Share of the negatives that count, rounded up: those with the largest losses.
    counted
        Which of the pairs count at all, ``[P]``; None for all.
    """
    losses = nn.functional.binary_cross_entropy_with_logits(
        logits, same.to(logits.dtype), reduction="none"
    )
    if counted is None:
        counted = torch.ones_like(same)
    if hardest < 1:
        counted = counted & (same | _hardest(losses.detach(), counted & ~same, hardest))
    kinds = torch.stack([counted & same, counted & ~same] if balanced else [counted])
    means = (losses * kinds).sum(1) / kinds.sum(1).clamp_min(1)
    return means.sum() / kinds.any(1).sum()


def _hardest(losses: Tensor, among: Tensor, share: float) -> Tensor:
    """Mark the largest losses ``[P]`` among some; their number never leaves the device."""
    order = losses.masked_fill(~among, -torch.inf).argsort(descending=True, stable=True)
    return among & (order.argsort() < (share * among.sum()).ceil())


def attention_penalty(attention: Tensor, mask: Tensor, reachable: bool) -> Tensor:
    """Doubly stochastic penalty, the first term of Eq 9, as a mean over clips of both branches.

    With ``S_i = sum_t m(t, i)`` over valid frames: the mean over the K*K locations of
    ``(T / (K*K) - S_i)^2`` where ``reachable`` (T the clip's valid frames: 0 is reached by looking
    everywhere equally long), else the paper's ``sum_i (1 - S_i)^2``, which cannot fall below
    ``K*K (1 - T / (K*K))^2``.

    Parameters
    ----------
    attention
        Weights ``[N, T, K, K]``.
    mask
        Valid frames ``[N, T]``.
    reachable
        Which of the two.
    """
    mask = mask.to(attention.dtype)
    spent = torch.einsum("ntk,nt->nk", attention.flatten(2), mask)
    if reachable:
        target = mask.sum(1, keepdim=True) / spent.shape[1]
        return (target - spent).square().mean(1).mean()
    return (1.0 - spent).square().sum(1).mean()


def entropy_gap(attention: Tensor, mask: Tensor, target: Tensor | float) -> Tensor:
    """Squared distance of the clips' attention entropy from a target, as a mean over clips.

    Parameters
    ----------
    attention
        Weights ``[N, T, K, K]``.
    mask
        Valid frames ``[N, T]``.
    target
        Entropy as a share of its maximum: 0 for one location, 1 for uniform.
    """
    mean = (entropy(attention) * mask).sum(1) / mask.sum(1)
    return (mean - target).square().mean()


def batch_hard_triplet(embeddings: Tensor, persons: Tensor, margin: float | None) -> Tensor:
    """Batch-hard triplet loss (Hermans, Beyer, Leibe 2017, "In Defense of the Triplet Loss", Eq 5).

    Every clip is an anchor, with the farthest clip of its person and the nearest clip of another;
    the mean runs over the anchors that have both (0 without any).

    Parameters
    ----------
    embeddings
        ``[N, E]``, compared by Euclidean distance.
    persons
        Who they show, ``[N]`` integers.
    margin
        By how much the one is to be nearer than the other; None for the soft margin,
        ``log(1 + exp(farthest - nearest))``.
    """
    squares = embeddings.square().sum(1)
    squared = squares[:, None] + squares[None, :] - 2.0 * embeddings @ embeddings.T
    distances = squared.clamp_min(1e-12).sqrt()  # the root of 0 has no gradient
    alike = persons[:, None] == persons[None, :]
    others = ~torch.eye(len(persons), dtype=torch.bool, device=persons.device)
    positives, negatives = alike & others, ~alike
    farthest = distances.masked_fill(~positives, -torch.inf).amax(1)
    nearest = distances.masked_fill(~negatives, torch.inf).amin(1)
    anchors = positives.any(1) & negatives.any(1)
    differences = torch.where(anchors, farthest - nearest, 0.0)
    if margin is None:
        losses = nn.functional.softplus(differences)
    else:
        losses = (differences + margin).clamp_min(0.0)
    return (losses * anchors).sum() / anchors.sum().clamp_min(1)


class PairLoss(nn.Module):
    """Eq 9, minimised (the paper's "maximised" is a slip).

    Parameters
    ----------
    penalty_weight
        Lambda.
    reachable_target
        See `attention_penalty`.
    balanced, hardest
        See `pair_cross_entropy`.
    """

    def __init__(
        self,
        penalty_weight: float = 0.01,
        reachable_target: bool = True,
        balanced: bool = True,
        hardest: float = 1.0,
    ) -> None:
        super().__init__()
        self.penalty_weight = penalty_weight
        self.reachable_target = reachable_target
        self.balanced = balanced
        self.hardest = hardest

    def forward(
        self,
        logits: Tensor,
        same: Tensor,
        attention: Tensor,
        mask: Tensor,
        counted: Tensor | None = None,
        penalty_weight: Tensor | None = None,
    ) -> LossTerms:
        """Loss of a batch.

        Parameters
        ----------
        logits, same, counted
            Of the pairs, ``[P]``; see `pair_cross_entropy`.
        attention, mask
            Of the clips, ``[N, T, K, K]`` and ``[N, T]``.
        penalty_weight
            Another lambda, for a schedule.
        """
        cross_entropy = pair_cross_entropy(logits, same, self.balanced, self.hardest, counted)
        penalty = attention_penalty(attention, mask, self.reachable_target)
        weight = self.penalty_weight if penalty_weight is None else penalty_weight
        return LossTerms(cross_entropy + weight * penalty, cross_entropy, penalty)
