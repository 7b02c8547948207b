"""Similarity of a pair of embeddings, as a logit (IV-B, Eq 8)."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Similarity(nn.Module, ABC):
    """Logits of pairs; their sigmoid is s of Eq 8. Subclasses prepare embeddings and logits."""

    @abstractmethod
    def prepare(self, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        """Prepare embeddings for their inner products."""

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
    """Eq 8: ``v . (h_a * h_b) + c`` with learned v and c.

    All entries of v are initially 1 for normalised embeddings (the logit is their cosine), else 1/E
    (the mean product).

    Parameters
    ----------
    size : int
        Entries E of an embedding.
    normalised : bool
        Whether embeddings have length 1.

    Examples
    --------
    >>> similarity = WeightedProduct(2, normalised=True)
    >>> similarity(torch.tensor([[0.6, 0.8]]), torch.tensor([[1.0, 0.0]])).tolist()
    [0.6000000238418579]

    See Also
    --------
    ScaledCosine : The similarity of the preset ``modern``.
    """

    def __init__(self, size: int, normalised: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((size,), 1.0 if normalised else 1.0 / size))
        self.offset = nn.Parameter(torch.zeros(()))

    def prepare(self, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        """Multiply one side by v."""
        return left * self.weight, right

    def logit(self, products: Tensor) -> Tensor:
        """Add c."""
        return products + self.offset


class ScaledCosine(Similarity):
    """``exp(s) cos(h_a, h_b) + b`` with learned s (initially 2.3) and b (initially -5).

    Examples
    --------
    >>> logits = ScaledCosine().pairwise(torch.eye(2), torch.eye(2))
    >>> [[round(logit, 2) for logit in row] for row in logits.tolist()]
    [[4.97, -5.0], [-5.0, 4.97]]

    See Also
    --------
    WeightedProduct : The similarity of the paper.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(2.3))
        self.offset = nn.Parameter(torch.tensor(-5.0))

    def prepare(self, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        """Normalise both to length 1."""
        return nn.functional.normalize(left, dim=1), nn.functional.normalize(right, dim=1)

    def logit(self, products: Tensor) -> Tensor:
        """Scale and shift."""
        return self.log_scale.exp() * products + self.offset
