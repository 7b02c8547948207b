"""How the weights move: RMSProp or AdamW, a rate for each part, and the rate's schedule."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import nn

from wherewhen.model.siamese import SiameseNetwork
from wherewhen.training.config import TrainingConfig

ALPHA = 0.95
"""Decay of RMSProp's mean square (decision 17)."""


def rate_factor(config: TrainingConfig, step: int, total_steps: int) -> float:
    """Return the factor on the learning rates at a step.

    Parameters
    ----------
    config
        ``warmup_steps, schedule`` and what belongs to it.
    step
        From 0.
    total_steps
        Steps of the run, with the warm-up.

    Examples
    --------
    >>> config = TrainingConfig(schedule="linear", warmup_steps=1)
    >>> [rate_factor(config, step, 4) for step in range(4)]
    [0.5, 1.0, 0.5, 0.0]
    """
    if step < config.warmup_steps:
        return (step + 1) / (config.warmup_steps + 1)
    done = (step - config.warmup_steps) / max(1, total_steps - 1 - config.warmup_steps)
    final = config.final_learning_rate_factor
    if config.schedule == "steps":
        passed = sum(step >= share * total_steps for share in config.milestones)
        return config.milestone_factor**passed
    if config.schedule == "linear":
        return 1.0 + done * (final - 1.0)
    if config.schedule == "cosine":
        return final + (1.0 - final) * (1.0 + math.cos(math.pi * done)) / 2.0
    return 1.0


class Optimiser:
    """RMSProp or AdamW with learning rates for the parts of a network.

    Parameters
    ----------
    network
        Its children are the parts.
    loss
        Its children, such as the classifier of persons, are parts, too; None without weights.
    config
        ``optimiser`` and what belongs to it, the rates, the schedule.
    """

    def __init__(
        self,
        network: SiameseNetwork,
        config: TrainingConfig,
        loss: nn.Module | None = None,
    ) -> None:
        self.config = config
        self.groups: list[dict] = []
        for name, part in _parts(network, loss):
            rate = config.learning_rate * config.learning_rate_factors.get(name, 1.0)
            for decays in (True, False):
                members = [
                    p for p in part.parameters() if p.requires_grad and (p.ndim > 1) == decays
                ]
                decay = config.weight_decay if decays else 0.0
                if members:
                    self.groups.append({"params": members, "lr": rate, "weight_decay": decay})
        self.rates = [group["lr"] for group in self.groups]
        # on a CPU, RMSProp's foreach form is six times slower than the loop
        on_gpu = next(network.parameters()).is_cuda
        self.inner: torch.optim.Optimizer
        if config.optimiser == "adamw":
            self.inner = torch.optim.AdamW(self.groups, foreach=on_gpu)
        else:
            self.inner = torch.optim.RMSprop(
                self.groups, alpha=ALPHA, momentum=config.momentum, foreach=on_gpu
            )

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All trained parameters."""
        return [parameter for group in self.groups for parameter in group["params"]]

    def step(self, factor: float) -> None:
        """Update the weights, with the learning rates times a factor."""
        for group, rate in zip(self.inner.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        self.inner.step()

    def state_dict(self) -> dict:
        """Return what a checkpoint keeps."""
        return self.inner.state_dict()

    def load_state_dict(self, state: dict) -> None:
        """Restore what `state_dict` returned, maybe on another device."""
        foreach = [group["foreach"] for group in self.inner.param_groups]
        self.inner.load_state_dict(state)
        for group, here in zip(self.inner.param_groups, foreach, strict=True):
            group["foreach"] = here


def _parts(network: SiameseNetwork, loss: nn.Module | None) -> Iterator[tuple[str, nn.Module]]:
    yield from network.named_children()
    if loss is not None:
        yield from loss.named_children()
