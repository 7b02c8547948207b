"""What a loss term is, and what it is computed from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from wherewhen.training.config import TrainingConfig
from wherewhen.training.guidance import Shown


class Compared(NamedTuple):
    """Pairs and persons of a batch, as tensors on one device."""

    left: Tensor
    """``[P]``: index of the first clip of each pair."""
    right: Tensor
    """``[P]``: index of the second clip."""
    same: Tensor
    """``[P]`` bool: whether both show one person."""
    counted: Tensor
    """``[P]`` bool: False for padding."""
    persons: Tensor
    """``[N]``: index of the person in each clip."""


class LossInputs(NamedTuple):
    """What the terms are computed from: P pairs of N clips of T frames."""

    logits: Tensor
    """``[P]``: logits of the pairs (Eq 8)."""
    embeddings: Tensor
    """``[N, E]``."""
    features: Tensor
    """``[N, E]``: embeddings before the network's neck; the same where it has none."""
    attention: Tensor
    """``[N, T, H, W]``."""
    frame_weights: Tensor
    """``[N, T]``."""
    mask: Tensor
    """``[N, T]`` bool: valid frames."""
    compared: Compared
    scheduled: dict[str, Tensor]
    """Scalars: values of the scheduled fields at this step."""
    shown: Shown | None = None
    """What the clips show; None where it is not known."""


Compute = Callable[[LossInputs], Tensor]


@dataclass(frozen=True)
class Term:
    """A term of the loss.

    Examples
    --------
    The mean squared length of the embeddings, in a module ``norm.py``, weighed by ``norm_weight``:

    >>> TERM = Term("norm", lambda config, size, persons: lambda x: x.embeddings.square().mean())
    """

    column: str
    """Its column in the history, where it stands before its weight."""
    build: Callable[[TrainingConfig, int, int], Compute]
    """Makes what computes it, a scalar, from the configuration, the embedding's size E and the
    number of training persons. If that is a `torch.nn.Module`, its weights are trained, too."""
    scheduled: tuple[str, ...] = ()
    """Fields of the configuration that move to their ``<field>_end`` during training."""
    optional: bool = True
    """Whether it is left out where its weight is 0; False for the penalty of Eq 9."""
    recordable: bool = True
    """Whether a CUDA graph can hold it: no shape depends on values."""
