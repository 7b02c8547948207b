"""What training minimises: cross entropy of pairs and the attention penalty (IV-B, Eq 9)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class LossTerms(NamedTuple):
    """The loss and its two terms, all scalar tensors."""

    loss: Tensor
    """``cross_entropy + weight * penalty``."""
    cross_entropy: Tensor
    """Mean over pairs."""
    penalty: Tensor
    """Mean over clips, before the weight."""


def pair_cross_entropy(logits: Tensor, same: Tensor, balanced: bool) -> Tensor:
    """Binary cross entropy of pairs, the second term of Eq 9, as a mean.

    Parameters
    ----------
    logits
        ``[P]``.
    same
        Whether the pair shows one person, ``[P]``.
    balanced
        Give positives and negatives half of the weight each, however many there are.
    """
    losses = nn.functional.binary_cross_entropy_with_logits(
        logits, same.to(logits.dtype), reduction="none"
    )
    if not balanced:
        return losses.mean()
    positives = same.sum()
    counts = torch.where(same, positives, same.numel() - positives)
    classes = (positives > 0).to(losses.dtype) + (positives < same.numel()).to(losses.dtype)
    return (losses / counts).sum() / classes


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


class PairLoss(nn.Module):
    """Eq 9, minimised (the paper's "maximised" is a slip).

    Parameters
    ----------
    penalty_weight
        Lambda.
    reachable_target
        See `attention_penalty`.
    balanced
        See `pair_cross_entropy`.
    """

    def __init__(
        self, penalty_weight: float = 0.01, reachable_target: bool = True, balanced: bool = True
    ) -> None:
        super().__init__()
        self.penalty_weight = penalty_weight
        self.reachable_target = reachable_target
        self.balanced = balanced

    def forward(self, logits: Tensor, same: Tensor, attention: Tensor, mask: Tensor) -> LossTerms:
        """Loss of pairs (logits and truth ``[P]``) and of the clips' attention ``[N, T, K, K]``."""
        cross_entropy = pair_cross_entropy(logits, same, self.balanced)
        penalty = attention_penalty(attention, mask, self.reachable_target)
        return LossTerms(cross_entropy + self.penalty_weight * penalty, cross_entropy, penalty)
