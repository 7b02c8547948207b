"""Triplet term: batch-hard triplets of the embeddings."""

from __future__ import annotations

import torch
from torch import Tensor

from wherewhen.training.losses.term import Term

MARGIN = 0.3


def batch_hard_triplet(embeddings: Tensor, persons: Tensor, margin: float = MARGIN) -> Tensor:
    """Batch-hard triplet loss.

    The numbers are those of `BatchHardMiner` and `TripletMarginLoss` of pytorch-metric-learning,
    whose shapes depend on values, so that no CUDA graph can hold them.

    Every clip is an anchor, with the farthest clip of the same person and the nearest clip of
    another person in the batch; a mean over the anchors that have both (0 without any).

    Parameters
    ----------
    embeddings
        ``[N, E]``, compared by Euclidean distance.
    persons
        ``[N]``: index of the person in each clip.
    margin
        How much nearer the same person has to be.

    References
    ----------
    Hermans, Beyer, Leibe 2017, "In Defense of the Triplet Loss", Eq 5.
    """
    squares = embeddings.square().sum(1)
    squared = squares[:, None] + squares[None, :] - 2.0 * embeddings @ embeddings.T
    distances = squared.clamp_min(1e-12).sqrt()  # the square root has no gradient at 0
    alike = persons[:, None] == persons[None, :]
    others = ~torch.eye(len(persons), dtype=torch.bool, device=persons.device)
    positives, negatives = alike & others, ~alike
    farthest = distances.masked_fill(~positives, -torch.inf).amax(1)
    nearest = distances.masked_fill(~negatives, torch.inf).amin(1)
    anchors = positives.any(1) & negatives.any(1)
    differences = torch.where(anchors, farthest - nearest, 0.0)
    losses = (differences + margin).clamp_min(0.0)
    return (losses * anchors).sum() / anchors.sum().clamp_min(1)


TERM = Term("triplet", lambda *_: lambda x: batch_hard_triplet(x.features, x.compared.persons))
