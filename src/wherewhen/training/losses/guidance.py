"""Guidance term: attention and frame weights against what rendered frames are known to show."""

from __future__ import annotations

from torch import Tensor

from wherewhen.training.guidance import Shown
from wherewhen.training.losses.term import LossInputs, Term

LEAST = 1e-3
"""Weights below it count as it, so that a frame that sees nothing of the person stays finite."""

PRESENT = 0.02
"""Share of a frame that the person takes, at least, for its attention to be guided."""


def attention_guidance(attention: Tensor, shown: Shown, mask: Tensor) -> Tensor:
    """Mean over frames of ``-log sum_i m(t, i) p(t, i)``.

    p(t, i) is the share of a cell that shows the person: the attention is to lie on them, wherever
    there. Frames that do not show them do not count.

    Parameters
    ----------
    attention
        Weights ``[N, T, H, W]``.
    shown
        What the frames show.
    mask
        Valid frames ``[N, T]``.
    """
    counted = mask & (shown.person.mean((2, 3)) >= PRESENT)
    on_person = (attention * shown.person).sum((2, 3)).clamp_min(LEAST)
    return -(on_person.log() * counted).sum() / counted.sum().clamp_min(1)


def frame_guidance(frame_weights: Tensor, shown: Shown, mask: Tensor) -> Tensor:
    """Mean over clips of the cross entropy of frame weights and the person's visible shares.

    The shares are those of `Shown.visible`, divided by their sum over the clip. Clips that show
    nobody do not count.

    Parameters
    ----------
    frame_weights
        ``[N, T]``, summing to 1 over a clip.
    shown, mask
        As for `attention_guidance`.
    """
    visible = shown.visible * mask
    total = visible.sum(1)
    target = visible / total.clamp_min(LEAST).unsqueeze(1)
    entropies = -(target * frame_weights.clamp_min(LEAST).log()).sum(1)
    counted = total > 0
    return (entropies * counted).sum() / counted.sum().clamp_min(1)


def _guidance(inputs: LossInputs) -> Tensor:
    where = attention_guidance(inputs.attention, inputs.shown, inputs.mask)
    return where + frame_guidance(inputs.frame_weights, inputs.shown, inputs.mask)


TERM = Term("guidance", lambda *_: _guidance)
