"""Entropy term: holds the entropy of the attention at a target."""

from __future__ import annotations

from torch import Tensor

from wherewhen.model.attention import entropy
from wherewhen.training.losses.term import Term


def entropy_gap(attention: Tensor, mask: Tensor, target: Tensor | float) -> Tensor:
    """Squared difference of the attention's entropy and a target, a mean over clips.

    Parameters
    ----------
    attention
        Weights ``[N, T, H, W]``.
    mask
        Valid frames ``[N, T]``.
    target
        Entropy as a share of its maximum: 0 for one location, 1 for uniform.
    """
    mean = (entropy(attention) * mask).sum(1) / mask.sum(1)
    return (mean - target).square().mean()


TERM = Term(
    "entropy_gap",
    lambda *_: lambda x: entropy_gap(x.attention, x.mask, x.scheduled["entropy_target"]),
    scheduled=("entropy_target",),
)
