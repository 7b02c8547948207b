"""The sum of the terms, and its columns in the history."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module

from torch import Tensor, nn

from wherewhen.model.siamese import Encoding
from wherewhen.training.config import TrainingConfig
from wherewhen.training.guidance import Shown
from wherewhen.training.losses.cross_entropy import pair_accuracy, pair_cross_entropy
from wherewhen.training.losses.term import Compared, LossInputs, Term

PairwiseLogits = Callable[[Tensor, Tensor], Tensor]

WEIGHT = "_weight"
"""End of the names of fields that weigh a term."""


def used_terms(config: TrainingConfig, optional: bool = True) -> dict[str, Term]:
    """Return the terms that a configuration uses, by name.

    Parameters
    ----------
    config
        Its fields ``<name>_weight`` name the terms; one with the weight 0 is left out.
    optional
        False for Eq 9 alone.
    """
    return {
        name: term
        for name, term in _terms(type(config)).items()
        if not term.optional or (optional and getattr(config, name + WEIGHT) > 0)
    }


@cache  # the schedules ask at every step
def _terms(config_class: type[TrainingConfig]) -> dict[str, Term]:
    fields = [field for field in config_class.model_fields if field.endswith(WEIGHT)]
    names = [field.removesuffix(WEIGHT) for field in fields]
    return {name: import_module(f"{__package__}.{name}").TERM for name in names}


def scheduled_values(config: TrainingConfig, step: int, total_steps: int) -> dict[str, float]:
    """Return the values of all scheduled fields of the used terms at a step.

    A field moves in a straight line to its ``<field>_end``, which is reached after the share
    `attention_anneal` of the steps; it stays where that is None.

    Parameters
    ----------
    config
        The configuration.
    step
        From 0.
    total_steps
        Steps of the run.
    """
    share = min(1.0, step / max(1.0, config.attention_anneal * total_steps))
    values = {}
    for field in _scheduled(config):
        first, last = getattr(config, field), getattr(config, f"{field}_end")
        values[field] = first if last is None else first + share * (last - first)
    return values


def loss_columns(config: TrainingConfig) -> list[str]:
    """Name the columns that the optional terms and the schedules add to the history."""
    moving = [name for name in _scheduled(config) if getattr(config, f"{name}_end") is not None]
    return moving + [term.column for term in used_terms(config).values() if term.optional]


def _scheduled(config: TrainingConfig) -> list[str]:
    return [field for term in used_terms(config).values() for field in term.scheduled]


class TrainingLoss(nn.Module):
    """Eq 9 and the optional terms.

    Parameters
    ----------
    config
        Terms and weights.
    embedding_size
        Entries E of an embedding.
    persons
        Training persons.
    optional
        False for Eq 9 alone.

    Examples
    --------
    >>> from wherewhen.training.config import TrainingConfig
    >>> loss = TrainingLoss(TrainingConfig(triplet_weight=0.5), embedding_size=64, persons=10)
    >>> list(loss.terms)
    ['penalty', 'triplet']

    See Also
    --------
    wherewhen.training.losses : How to add a term.
    """

    def __init__(
        self,
        config: TrainingConfig,
        embedding_size: int,
        persons: int,
        optional: bool = True,
    ) -> None:
        super().__init__()
        self.config = config
        self.terms = used_terms(config, optional)
        self.hardest = config.hardest_negatives if optional else 1.0
        # a term that is a module becomes a part, whose weights are found as the network's are
        self._compute = {}
        for name, term in self.terms.items():
            self._compute[name] = term.build(config, embedding_size, persons)
            if isinstance(self._compute[name], nn.Module):
                self.add_module(name, self._compute[name])

    def forward(
        self,
        pairwise_logits: PairwiseLogits,
        encoding: Encoding,
        mask: Tensor,
        compared: Compared,
        scheduled: dict[str, Tensor],
        shown: Shown | None = None,
        features: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Loss of a batch.

        Parameters
        ----------
        pairwise_logits
            Logits of all pairs of two sets of embeddings (Eq 8).
        encoding
            Embeddings, attention and frame weights of the clips.
        mask
            ``[N, T]`` bool: valid frames.
        compared
            The pairs and persons.
        scheduled
            From `scheduled_values`.
        shown
            What the clips show, for the guidance.
        features
            ``[N, E]``: what the network's neck made the embeddings of; None without a neck.

        Returns
        -------
        dict
            Scalars: ``loss``, its terms before their weights by their columns, ``pair_accuracy``.
        """
        embeddings, same, counted = encoding.embedding, compared.same, compared.counted
        logits = pairwise_logits(embeddings, embeddings)[compared.left, compared.right]
        loss = pair_cross_entropy(logits, same, self.config.balanced, self.hardest, counted)
        values = {"cross_entropy": loss}
        inputs = LossInputs(
            logits,
            embeddings,
            embeddings if features is None else features,
            encoding.attention,
            encoding.frame_weights,
            mask,
            compared,
            scheduled,
            shown,
        )
        for name, term in self.terms.items():
            weight = scheduled.get(name + WEIGHT, getattr(self.config, name + WEIGHT))
            values[term.column] = self._compute[name](inputs)
            loss = loss + weight * values[term.column]
        return {"loss": loss, **values, "pair_accuracy": pair_accuracy(logits, same, counted)}
