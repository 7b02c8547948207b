"""How the network is trained, as a typed configuration; importing it costs no torch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Part = Literal[
    "input", "gru", "initial_state", "attention", "temporal_pooling", "readout", "similarity"
]


class TrainingConfig(BaseModel):
    """Loss, pairs, optimiser and keeping of a training run; the defaults are ``modern``.

    "Row" is a row of the project's table of decisions about what the paper leaves open
    (``paper-decisions.md``), "Eq" an equation of the paper "Where-and-When to Look".
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    epochs: int = Field(default=100, ge=1)
    """Epochs (V-B: 1,000 on iLIDS-VID and PRID 2011, 2,000 on MARS; row 22); what an epoch is,
    `pairs` says."""

    steps: Annotated[int, Field(ge=1)] | None = None
    """Stop after so many steps instead of `epochs`."""

    frames: int = Field(default=20, ge=1)
    """Consecutive frames T of a clip, drawn anew at every step (V-B, row 19)."""

    pairs: Literal["all_in_batch", "drawn"] = "all_in_batch"
    """``all_in_batch``: `persons_per_batch` persons, two tracklets of each from different cameras,
    and every pair of them from different cameras; an epoch shows every person once. ``drawn``:
    `pairs_per_batch` pairs, half of them positive; an epoch has one positive pair of every person
    with two cameras and as many negative ones (V-B, row 18)."""

    persons_per_batch: int = Field(default=16, ge=2)
    """Persons a batch, for ``all_in_batch``; the batches of an epoch are made equally large."""

    pairs_per_batch: int = Field(default=10, ge=2)
    """Pairs a batch, for ``drawn`` (V-B: 10)."""

    balanced: bool = True
    """Give positive and negative pairs half of the weight each in Eq 9."""

    penalty_weight: float = Field(default=0.01, ge=0.0)
    """Lambda of Eq 9 (V-B: 1)."""

    penalty: Literal["reachable", "paper"] = "reachable"
    """Attention penalty: target T/(K*K), mean over locations; or target 1, sum (Eq 9, row 16)."""

    rate: float = Field(default=1e-3, gt=0.0)
    """Learning rate of RMSProp (row 17; the paper gives none)."""

    part_rates: dict[Part, Annotated[float, Field(ge=0.0)]] = {"attention": 0.02}
    """Factors on the rate for parts of the network, 0 to freeze one; 1 for those not named. At the
    full rate the attention saturates and training collapses."""

    alpha: float = Field(default=0.95, ge=0.0, lt=1.0)
    """Decay of RMSProp's mean square (row 17)."""

    momentum: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Momentum of RMSProp (row 17: 0.9, as in ``paper``). 0.9 makes the step ten times as long; on
    toy cubes rate 1e-4 with it did as well as 1e-3 without, and 1e-3 with it no better."""

    clip: float = Field(default=5.0, gt=0.0)
    """Every entry of the gradient is clipped to [-clip, clip] (IV-B)."""

    seed: int = Field(default=0, ge=0)
    """Seed of pairs, clips and dropout."""

    validation_fraction: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of the training persons held out for the validation curve (Fig 5: 10 %); 0 for none.
    Whoever splits the persons reads it."""

    validate_every: int = Field(default=5, ge=1)
    """Epochs between points of the validation curve; the last epoch always has one."""

    calibration_frames: int = Field(default=512, ge=1)
    """Frames, spread over the training tracklets, for the statistics of the cubes and their PCA."""

    checkpoint_every: int = Field(default=50, ge=1)
    """Steps between checkpoints. Without influence on the result."""

    preload_gigabytes: float = Field(default=4.0, ge=0.0)
    """Keep the training cubes in memory (float16) if they take no more. Without influence on the
    result."""

    device: str = "auto"
    """``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, ..."""

    @model_validator(mode="after")
    def _pairs_are_half_and_half(self) -> TrainingConfig:
        if self.pairs == "drawn" and self.pairs_per_batch % 2:
            raise ValueError(
                f"pairs_per_batch is {self.pairs_per_batch}, expected an even number: half of the "
                f"pairs are positive"
            )
        return self

    def identity(self) -> dict[str, Any]:
        """Everything that has influence on the result, for the fingerprint of a run."""
        return self.model_dump(
            mode="json",
            exclude={"checkpoint_every", "preload_gigabytes", "validation_fraction"},
        )


PRESETS: dict[str, dict[str, Any]] = {
    "modern": {},
    "paper": {
        "epochs": 1000,
        "pairs": "drawn",
        "balanced": False,
        "penalty_weight": 1.0,
        "penalty": "paper",
        "rate": 1e-4,
        "part_rates": {},
        "momentum": 0.9,
    },
}
"""``modern``: what trains well (the defaults). ``paper``: the letter of the paper where it gives
one."""


def training_config(preset: str = "modern", **overrides: Any) -> TrainingConfig:
    """Configure training from a preset and what differs from it.

    Parameters
    ----------
    preset
        ``modern`` or ``paper``.
    **overrides
        Fields of `TrainingConfig` that replace the preset's.

    Raises
    ------
    ValueError
        For an unknown preset or field, or a value that makes no sense.
    """
    if preset not in PRESETS:
        raise ValueError(f"unknown preset {preset!r} of training: choose from {list(PRESETS)}")
    return TrainingConfig(**PRESETS[preset] | overrides)
