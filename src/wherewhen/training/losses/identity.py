"""Identity term: cross entropy of a classifier of the training persons."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wherewhen.training.config import TrainingConfig
from wherewhen.training.losses.term import LossInputs, Term


class IdentityHead(nn.Module):
    """Cosine classifier of the training persons, with a learned scale.

    It is kept in checkpoints and is no part of the network.

    Parameters
    ----------
    size
        Entries E of an embedding.
    persons
        Training persons.
    smoothing
        Label smoothing.
    """

    def __init__(self, size: int, persons: int, smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.weight = nn.Parameter(torch.randn(persons, size))
        self.log_scale = nn.Parameter(torch.tensor(2.3))  # the start of the cosine of pairs, too

    def forward(self, inputs: LossInputs) -> Tensor:
        """Cross entropy of the persons, a mean over clips."""
        cosines = (
            nn.functional.normalize(inputs.embeddings, dim=1)
            @ nn.functional.normalize(self.weight, dim=1).mT
        )
        return nn.functional.cross_entropy(
            self.log_scale.exp() * cosines,
            inputs.compared.persons,
            label_smoothing=self.smoothing,
        )


def _build(config: TrainingConfig, size: int, persons: int) -> IdentityHead:
    """Draw the weights from the seed; the random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return IdentityHead(size, persons, config.identity_smoothing)


TERM = Term("identity", _build)
