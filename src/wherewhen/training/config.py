"""How the network is trained, as a typed configuration; importing it costs no torch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wherewhen.presets import load_preset
from wherewhen.tracklets.fingerprint import OPERATIONAL

Part = Literal[
    "input",
    "gru",
    "initial_state",
    "attention",
    "temporal_pooling",
    "readout",
    "similarity",
    "identity",
]
DEVICE = r"^(auto|cpu|cuda(:\d+)?)$"
"""How a device is named."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Decay = Annotated[float, Field(ge=0.0, lt=1.0)]


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
    `pairs_per_batch` pairs; an epoch has one positive pair of every person with two cameras and
    `negatives_per_positive` as many negative ones (V-B, row 18)."""

    persons_per_batch: int = Field(default=16, ge=2)
    """Persons a batch, for ``all_in_batch``; the batches of an epoch are made equally large, and
    one more a batch where a batch would else have a single person."""

    pairs_per_batch: int = Field(default=10, ge=2)
    """Pairs a batch, for ``drawn`` (V-B: 10)."""

    negatives_per_positive: int = Field(default=1, ge=1)
    """For ``drawn``: negative pairs drawn for every positive one (row 18: 1)."""

    balanced: bool = True
    """Give positive and negative pairs half of the weight each in Eq 9."""

    hardest_negatives: float = Field(default=1.0, gt=0.0, le=1.0)
    """Share of a batch's negative pairs that count in Eq 9: those with the largest loss; 1 for all.
    For ``all_in_batch``, where nearly all pairs are negative and most are easy."""

    negative_candidates: int = Field(default=1, ge=1)
    """For ``drawn``: of so many negative pairs drawn, take the one whose embeddings were the most
    alike when they were last seen (cosine, as known when the epoch began); 1 takes any."""

    penalty_weight: float = Field(default=0.01, ge=0.0)
    """Lambda of Eq 9 (V-B: 1)."""

    penalty_weight_end: Annotated[float, Field(ge=0.0)] | None = None
    """Lambda at the end of `attention_anneal`, reached in a straight line; None keeps it."""

    penalty: Literal["reachable", "paper"] = "reachable"
    """Attention penalty: target T/(K*K), mean over locations; or target 1, sum (Eq 9, row 16)."""

    entropy_weight: float = Field(default=0.0, ge=0.0)
    """Weight of an additional term that holds the attention's entropy at a target: the mean over
    clips of (entropy - target)^2, the entropy a mean over a clip's frames and a share of its
    maximum. Uniform attention has no gradient of its own there: the pairs decide where it goes."""

    entropy_target: Share = 0.9
    """Entropy to be held: 1 is uniform, 0 a single location."""

    entropy_target_end: Share | None = None
    """Target at the end of `attention_anneal`, reached in a straight line; None keeps it."""

    attention_anneal: float = Field(default=0.5, gt=0.0, le=1.0)
    """Share of all steps in which `penalty_weight_end` and `entropy_target_end` are reached."""

    triplet_weight: float = Field(default=0.0, ge=0.0)
    """Weight of an additional term: batch-hard triplets (Hermans et al. 2017), every clip with the
    farthest one of its person and the nearest one of another in the batch, by Euclidean
    distance."""

    identity_weight: float = Field(default=0.0, ge=0.0)
    """Weight of an additional term: cross entropy of naming the training person, by a cosine
    classifier with a learned scale on the embeddings. Its weights are kept in checkpoints and are
    no part of the network."""

    optimiser: Literal["rmsprop", "adamw"] = "rmsprop"
    """RMSProp (V-B, row 17), or Adam with decoupled weight decay."""

    learning_rate: float = Field(default=1e-3, gt=0.0)
    """Learning rate (row 17; the paper gives none)."""

    learning_rate_factors: dict[Part, Annotated[float, Field(ge=0.0)]] = {"attention": 0.02}
    """Factors on the rate for parts of the network, 0 to freeze one; 1 for those not named.
    Attention that sees the state alone saturated at the full rate; one that also sees the features
    gains by it, and a stack with large hidden kernels wants ``gru: 0.1``
    (``docs/explanation/learning.md``).
    ``identity`` is the classifier of `identity_weight`."""

    warmup_steps: int = Field(default=0, ge=0)
    """Steps in which the rate rises from 0 in a straight line."""

    schedule: Literal["constant", "linear", "cosine", "step"] = "constant"
    """The rate after `warmup_steps`: as it is, falling to `final_learning_rate_factor` at the last
    step in a straight line or half a cosine, or multiplied by `step_factor` at each of `step_at`.
    """

    final_learning_rate_factor: Share = 0.0
    """Factor on the rate at the last step, for ``linear`` and ``cosine``."""

    step_at: tuple[Share, ...] = (0.5, 0.75)
    """Shares of all steps at which ``step`` lowers the rate."""

    step_factor: float = Field(default=0.1, gt=0.0, le=1.0)
    """What ``step`` multiplies the rate by."""

    alpha: float = Field(default=0.95, ge=0.0, lt=1.0)
    """Decay of RMSProp's mean square (row 17)."""

    momentum: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Momentum of RMSProp (row 17: 0.9, as in ``paper``). 0.9 makes the step ten times as long; on
    toy cubes rate 1e-4 with it did as well as 1e-3 without, and 1e-3 with it no better."""

    betas: tuple[Decay, Decay] = (0.9, 0.999)
    """Decays of AdamW's mean and mean square."""

    weight_decay: float = Field(default=0.0, ge=0.0)
    """Decoupled weight decay of AdamW; on kernels and matrices, not on biases and scalars."""

    gradient_clip: float = Field(default=5.0, gt=0.0)
    """Every entry of the gradient is clipped to [-gradient_clip, gradient_clip] (IV-B)."""

    seed: int = Field(default=0, ge=0)
    """Seed of pairs, clips and dropout."""

    validation_fraction: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of the training persons held out for the validation curve (Fig 5: 10 %); 0 for none.
    Whoever splits the persons reads it."""

    validate_every: int = Field(default=5, ge=1)
    """Epochs between points of the validation curve; the last epoch always has one."""

    patience: Annotated[int, Field(ge=1)] | None = None
    """Stop when so many points of the validation curve in a row brought nothing better; None goes
    on to the end."""

    monitor: Literal["validation_loss", "validation_rank_1", "validation_map"] = "validation_loss"
    """What is meant by better in `patience` and `keep`."""

    keep: Literal["last", "best"] = "last"
    """Which weights training ends with: the last, or those of the best point of the validation
    curve. Both are kept as checkpoints when there are validation persons."""

    calibration_frames: int = Field(default=512, ge=1)
    """Frames, spread over the training tracklets, for the statistics of the cubes and their PCA."""

    checkpoint_every: Annotated[int, OPERATIONAL] = Field(default=50, ge=1)
    """Steps between checkpoints."""

    checkpoint_seconds: Annotated[float, OPERATIONAL] = Field(default=10.0, ge=0.0)
    """Seconds between checkpoints, at least: a fast step is not to wait for the disk most of the
    time. The last step always has one."""

    look_every: Annotated[int, OPERATIONAL] = Field(default=20, ge=1)
    """Steps between looks at what a GPU has computed: the history's numbers, and whether they are
    numbers. A CPU is looked at in every step."""

    micro_batch: Annotated[int, Field(ge=1)] | None = None
    """Encode so many clips at a time, so that a large batch fits the memory; None for all at once.
    The pairs still span the batch: every clip is encoded without a graph, the loss is
    differentiated with respect to the embeddings and the attention, and every clip is encoded
    again. A third more work, and the gradient of the whole batch to rounding."""

    draw_variants: bool = True
    """Draw one of the cubes' augmented variants for every clip, where the store has several (V-B,
    row 20); false takes the plain frames alone."""

    flip_cubes: bool = False
    """Also draw cubes with left and right exchanged. It costs neither disk nor extraction, but is
    not what the mirrored frames' cubes are (GoogLeNet's differ by 46 %)."""

    preload_gigabytes: Annotated[float, OPERATIONAL] = Field(default=4.0, ge=0.0)
    """Keep the training cubes in memory (float16) if they take no more; else they are read one
    batch ahead."""

    preload_device_share: Annotated[Share, OPERATIONAL] = 0.5
    """Keep the training cubes on the GPU if they take no more than this share of its free memory.
   """

    device: Annotated[str, Field(pattern=DEVICE), OPERATIONAL] = "auto"
    """``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, ..."""

    threads: int = Field(default=2, ge=1)
    """Threads of a CPU that compute a step. Sums are taken in another order by another number of
    them, so the weights differ in the last digits: it is the configuration that decides, not the
    machine."""

    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    """Of the factors of the convolutions and of what they yield; the sums inside of them, states,
    weights and their updates are float32. ``auto`` is bfloat16 where the device is fast at it.
    float32 is never TF32, which a GPU's convolutions would take by themselves."""

    convolution: Literal["auto", "direct", "dft"] = "auto"
    """Form of the convolutions, equal up to rounding: torch's own, products of frequencies, or what
    is faster for the device, the grid and the kernels."""

    cuda_graph: Annotated[bool, OPERATIONAL] = True
    """On a GPU, record the step of every batch shape once and play it back (not with
    `micro_batch`)."""

    roofline: Annotated[bool, OPERATIONAL] = False
    """Measure the machine's rate of matrix products at the start, and log the step's share of it.
   """

    @classmethod
    def from_preset(cls, name: str, **changes: Any) -> TrainingConfig:
        """Take the values of a preset (`wherewhen.presets`) and change some of them."""
        return cls(**load_preset(name)["training"] | changes)

    @model_validator(mode="after")
    def _fields_agree(self) -> TrainingConfig:
        group = 1 + self.negatives_per_positive
        if self.pairs == "drawn" and self.pairs_per_batch % group:
            raise ValueError(
                f"pairs_per_batch is {self.pairs_per_batch}, expected a multiple of {group}: one "
                f"pair in {group} is positive (negatives_per_positive)"
            )
        if self.pairs != "drawn" and self.negatives_per_positive > 1:
            raise ValueError(
                f"negatives_per_positive is {self.negatives_per_positive}, but pairs: {self.pairs} "
                f"takes all there are; use pairs: drawn"
            )
        if self.negative_candidates > 1 and self.pairs != "drawn":
            raise ValueError(
                f"negative_candidates is {self.negative_candidates}, but pairs: {self.pairs} draws "
                f"no negative pairs; use pairs: drawn, or hardest_negatives"
            )
        if self.weight_decay > 0 and self.optimiser != "adamw":
            raise ValueError(
                f"weight_decay is {self.weight_decay:g}, but optimiser: {self.optimiser} has none; "
                f"use optimiser: adamw, or weight_decay: 0"
            )
        idle = {
            "momentum": (self.momentum > 0 and self.optimiser == "adamw", "optimiser: rmsprop"),
            "entropy_target_end": (
                self.entropy_target_end is not None and not self.entropy_weight,
                "entropy_weight",
            ),
            "final_learning_rate_factor": (
                self.final_learning_rate_factor > 0 and self.schedule not in ("linear", "cosine"),
                "schedule: linear or cosine",
            ),
            "learning_rate_factors.identity": (
                "identity" in self.learning_rate_factors and not self.identity_weight,
                "identity_weight",
            ),
        }
        for name, (without_effect, needed) in idle.items():
            if without_effect:
                raise ValueError(
                    f"{name} has no effect without {needed}: set that, or take {name} back to its "
                    f"default"
                )
        return self
