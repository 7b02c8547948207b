"""How alike two clips are: the logit of a pair of embeddings (IV-B, Eq 8)."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Similarity(nn.Module, ABC):
    """Logits of pairs; their sigmoid is the s of Eq 8. A subclass scales and shifts products."""

    @abstractmethod
    def prepare(self, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings whose inner products, scaled and shifted, are logits."""

    @abstractmethod
    def logit(self, products: Tensor) -> Tensor:
        """Logits of inner products."""

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Logits ``[N]`` of embeddings ``[N, E]`` and ``[N, E]``."""
        left, right = self.prepare(left, right)
        return self.logit((left * right).sum(1))

    def pairwise(self, left: Tensor, right: Tensor) -> Tensor:
        """Logits ``[N, M]`` of embeddings ``[N, E]`` and ``[M, E]``."""
        left, right = self.prepare(left, right)
        return self.logit(left @ right.T)


class WeightedProduct(Similarity):
    """Eq 8 as it stands: ``v . (h_a * h_b) + c`` with learned v and c.

    The sign of c is free, since it is learned. v starts alike for all entries: at 1 for normalised
    embeddings (the logit is their cosine), else at 1/E (the mean product, within [-1, 1]).

    Parameters
    ----------
    size
        Entries E of an embedding.
    normalised
        Whether embeddings have length 1.
    """

    def __init__(self, size: int, normalised: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((size,), 1.0 if normalised else 1.0 / size))
        self.offset = nn.Parameter(torch.zeros(()))

    def prepare(self, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        """Weigh one side by v."""
        return left * self.weight, right

    def logit(self, products: Tensor) -> Tensor:
        """Add c."""
        return products + self.offset


class ScaledCosine(Similarity):
    """``exp(s) cos(h_a, h_b) + b`` with learned s (start 2.3) and b (start -5)."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(2.3))
        self.offset = nn.Parameter(torch.tensor(-5.0))

    def prepare(self, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        """Scale both to length 1."""
        return nn.functional.normalize(left, dim=1), nn.functional.normalize(right, dim=1)

    def logit(self, products: Tensor) -> Tensor:
        """Scale and shift."""
        return self.log_scale.exp() * products + self.offset
