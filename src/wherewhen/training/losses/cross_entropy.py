"""Cross entropy of pairs: the part of the loss that has no weight (Eq 9, second term)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def pair_cross_entropy(
    logits: Tensor,
    same: Tensor,
    balanced: bool,
    hardest: float = 1.0,
    counted: Tensor | None = None,
) -> Tensor:
    """Binary cross entropy of pairs, a mean.

    Parameters
    ----------
    logits
        ``[P]``.
    same
        ``[P]`` bool: whether the pair shows one person.
    balanced
        Give positive and negative pairs half of the weight each, however many there are.
    hardest
        Share of the negative pairs that count, rounded up: those with the largest losses.
    counted
        ``[P]`` bool: False for padding; None if there is none.
    """
    losses = nn.functional.binary_cross_entropy_with_logits(
        logits, same.to(logits.dtype), reduction="none"
    )
    if counted is None:
        counted = torch.ones_like(same)
    if hardest < 1:
        counted = counted & (same | _hardest(losses.detach(), counted & ~same, hardest))
    kinds = torch.stack([counted & same, counted & ~same] if balanced else [counted])
    return _mean_of_means(losses, kinds)


def pair_accuracy(logits: Tensor, same: Tensor, counted: Tensor) -> Tensor:
    """Share of pairs with the right sign, a mean over positive and negative pairs.

    With a plain mean, answering "no" to every pair would look accurate.
    """
    right = (logits.detach() > 0) == same
    return _mean_of_means(right, torch.stack([counted & same, counted & ~same]))


def _mean_of_means(values: Tensor, kinds: Tensor) -> Tensor:
    """Mean over the kinds ``[C, P]`` that have members of their means of ``[P]``."""
    means = (values * kinds).sum(1) / kinds.sum(1).clamp_min(1)
    return means.sum() / kinds.any(1).sum()


def _hardest(losses: Tensor, among: Tensor, share: float) -> Tensor:
    """Mark the largest losses ``[P]`` among some, without a copy to the CPU."""
    order = losses.masked_fill(~among, -torch.inf).argsort(descending=True, stable=True)
    return among & (order.argsort() < (share * among.sum()).ceil())
