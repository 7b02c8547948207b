"""Circle term: pairs of a batch, weighed by how far each is from where it should be."""

from __future__ import annotations

from wherewhen.training.config import TrainingConfig
from wherewhen.training.losses.term import Compute, Term

MARGIN, SCALE = 0.25, 128
"""m and gamma for persons, as pytorch-metric-learning names those of its source."""


def _build(config: TrainingConfig, *_: int) -> Compute:
    """Make the loss of pytorch-metric-learning, of cosines of embeddings before the neck.

    Raises
    ------
    ModuleNotFoundError
        If the package is not installed.

    References
    ----------
    Sun et al. 2020, "Circle Loss: A Unified Perspective of Pair Similarity Optimization", Eq 6.
    """
    try:
        from pytorch_metric_learning.losses import CircleLoss
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"circle_weight needs the package {error.name}, which is not installed: install the "
            "extra losses (`uv pip install wherewhen[losses]`), or set circle_weight to 0",
            name=error.name,
        ) from error
    loss = CircleLoss(m=MARGIN, gamma=SCALE)
    return lambda x: loss(x.features, x.compared.persons)


TERM = Term("circle", _build, recordable=False)
