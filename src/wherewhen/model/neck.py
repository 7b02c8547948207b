"""What stands between the pooled states and the embedding that is compared."""

from __future__ import annotations

from torch import Tensor, nn


class BatchNormNeck(nn.Module):
    """Batch normalisation of every entry, without a shift: BNNeck.

    Features before the neck are compared by Euclidean distance (triplets), features after it by
    angles (classifier, similarity, testing): each gets the space that it asks for. In training,
    statistics are those of all clips of a batch, also in micro-batches; in testing, those that
    training kept.

    Parameters
    ----------
    size : int
        Entries E.
    normalise : bool
        Whether the result is normalised to length 1.

    Examples
    --------
    >>> import torch
    >>> neck = BatchNormNeck(2, normalise=False)
    >>> neck(torch.tensor([[1.0, 5.0], [3.0, 9.0]])).round().tolist()
    [[-1.0, -1.0], [1.0, 1.0]]

    References
    ----------
    Luo et al. 2019, "Bag of Tricks and A Strong Baseline for Deep Person Re-identification", 3.5.
    """

    def __init__(self, size: int, normalise: bool) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(size)
        self.norm.register_parameter("bias", None)
        self.normalise = normalise

    def forward(self, features: Tensor) -> Tensor:
        """Embeddings ``[N, E]`` of features ``[N, E]``."""
        embeddings = self.norm(features)
        return nn.functional.normalize(embeddings, dim=1) if self.normalise else embeddings
