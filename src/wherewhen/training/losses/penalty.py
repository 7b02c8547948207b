"""Penalty term: the doubly stochastic penalty of the attention (Eq 9, first term)."""

from __future__ import annotations

import torch
from torch import Tensor

from wherewhen.training.config import TrainingConfig
from wherewhen.training.losses.term import Compute, Term


def attention_penalty(attention: Tensor, mask: Tensor, reachable: bool) -> Tensor:
    """Penalty of locations that are attended to for too long or too short a time.

    With ``S_i = sum_t m(t, i)`` over the T valid frames of a clip: the mean over the H*W locations
    of ``(T / (H*W) - S_i)^2`` where ``reachable`` (0 for uniform attention), else the paper's
    ``sum_i (1 - S_i)^2``, which is never below ``H*W (1 - T / (H*W))^2`` (decision 16). A mean over
    the clips of both branches.

    Parameters
    ----------
    attention
        Weights ``[N, T, H, W]``.
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


def _build(config: TrainingConfig, *_: int) -> Compute:
    reachable = config.penalty == "reachable"
    return lambda x: attention_penalty(x.attention, x.mask, reachable)


TERM = Term("penalty", _build, scheduled=("penalty_weight",), optional=False)
