"""Loss of a step: the cross entropy of the batch's pairs, and weighted terms.

A term is a module of this package with a record ``TERM``. It has the name of the field of
`TrainingConfig` that weighs it: ``triplet.py`` is weighed by ``triplet_weight``. To add a term,
write its module and add that field.
"""

from wherewhen.training.losses.term import Compared, LossInputs, Term
from wherewhen.training.losses.training_loss import (
    TrainingLoss,
    loss_columns,
    scheduled_values,
    used_terms,
)

__all__ = [
    "Compared",
    "LossInputs",
    "Term",
    "TrainingLoss",
    "loss_columns",
    "scheduled_values",
    "used_terms",
]
