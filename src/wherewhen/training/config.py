"""Configuration of the training; importing it does not import torch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wherewhen.presets import of_training
from wherewhen.tracklets.fingerprint import OPERATIONAL

Part = Literal[
    "trunk",
    "input",
    "gru",
    "initial_state",
    "attention",
    "temporal_pooling",
    "transformer",
    "readout",
    "neck",
    "similarity",
    "identity",
]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class TrainingConfig(BaseModel):
    """Loss, pairs, optimiser and checkpoints of a training; the defaults are the preset ``modern``.

    "Decision" is a row of ``docs/explanation/paper-decisions.md``, what the paper
    "Where-and-When to Look" leaves open; "Eq" and sections are the paper's.

    Examples
    --------
    >>> TrainingConfig(epochs=20).optimiser
    'rmsprop'
    >>> TrainingConfig.from_preset("paper", epochs=20).pairs
    'drawn'

    See Also
    --------
    wherewhen.training.loop.train : Trains a network.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    epochs: int = Field(default=100, ge=1)
    """Epochs (V-B: 1,000 on iLIDS-VID and PRID 2011, 2,000 on MARS; decision 22). `pairs` defines
    an epoch."""

    steps: Annotated[int, Field(ge=1)] | None = None
    """Stop after so many steps instead of `epochs`."""

    frames: int = Field(default=20, ge=1)
    """Frames T of a clip, drawn anew at every step (V-B, decision 19)."""

    clips: Literal["consecutive", "spread"] = "consecutive"
    """``consecutive`` frames (V-B); or ``spread``: a tracklet is cut into T equal parts and one
    frame of each is drawn (restricted random sampling: Li et al. 2018, "Diversity Regularized
    Spatiotemporal Attention for Video-Based Person Re-Identification"). Testing reads consecutive
    frames."""

    pasted_frames: Share = 0.0
    """Share of the clips in which a run of frames, up to two fifths of them, is replaced by
    frames of another person in the batch (`wherewhen.training.pasting`): a reason to weigh
    frames. Clips of fewer than three valid frames stay as they are."""

    pasted_cells: Share = 0.0
    """Share of the clips in which a block of cells, up to half of the width, is replaced by cells
    of another person's clip in a run of frames: a reason to weigh locations."""

    pairs: Literal["all_in_batch", "drawn"] = "all_in_batch"
    """``all_in_batch``: `persons_per_batch` persons, `tracklets_per_person` tracklets of each from
    different cameras, and all pairs of them from different cameras; an epoch shows every person
    once. ``drawn``: `pairs_per_batch` pairs; an epoch has one positive pair of every person with
    two cameras and `negatives_per_positive` as many negative pairs (V-B, decision 18)."""

    persons_per_batch: int = Field(default=16, ge=2)
    """Persons in a batch, for ``all_in_batch``. The batches of an epoch are equally large, with one
    person more where a batch would have a single person."""

    tracklets_per_person: int = Field(default=2, ge=2)
    """Tracklets K of each person in a batch, for ``all_in_batch`` (P x K batches, Hermans et al.
    2017, "In Defense of the Triplet Loss"). They are from different cameras as far as there are
    so many; a person with fewer tracklets has several clips of some."""

    pairs_per_batch: int = Field(default=10, ge=2)
    """Pairs in a batch, for ``drawn`` (V-B: 10)."""

    negatives_per_positive: int = Field(default=1, ge=1)
    """Negative pairs for every positive one, for ``drawn`` (decision 18: 1)."""

    balanced: bool = True
    """Give positive and negative pairs half of the weight each in Eq 9."""

    hardest_negatives: float = Field(default=1.0, gt=0.0, le=1.0)
    """Share of a batch's negative pairs that count in Eq 9: those with the largest loss; 1 for all.
    For ``all_in_batch``, where nearly all pairs are negative and most are easy."""

    penalty_weight: float = Field(default=0.01, ge=0.0)
    """Lambda of Eq 9 (V-B: 1)."""

    penalty_weight_end: Annotated[float, Field(ge=0.0)] | None = None
    """Lambda at the end of `attention_anneal`, reached linearly; None keeps it constant."""

    penalty: Literal["reachable", "paper"] = "reachable"
    """Attention penalty: target T/(K*K), mean over locations; or target 1, sum (Eq 9, decision
    16)."""

    entropy_weight: float = Field(default=0.0, ge=0.0)
    """Weight of an additional term that holds the attention's entropy at a target: the mean over
    clips of (entropy - target)^2, with the entropy a mean over the frames and a share of its
    maximum. At uniform attention this term has no gradient."""

    entropy_target: Share = 0.9
    """Target of the entropy: 1 is uniform, 0 a single location."""

    entropy_target_end: Share | None = None
    """Target at the end of `attention_anneal`, reached linearly; None keeps it constant."""

    attention_anneal: float = Field(default=0.5, gt=0.0, le=1.0)
    """Share of all steps after which `penalty_weight_end` and `entropy_target_end` are reached."""

    triplet_weight: float = Field(default=0.0, ge=0.0)
    """Weight of an additional term: batch-hard triplet loss of the embeddings by Euclidean distance
    (Hermans et al. 2017)."""

    identity_weight: float = Field(default=0.0, ge=0.0)
    """Weight of an additional term: cross entropy of the training person, by a cosine classifier
    with a learned scale on the embeddings. The classifier is kept in checkpoints and is no part of
    the network."""

    identity_smoothing: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Label smoothing of the identity term: so much of the target is shared among all persons
    (Szegedy et al. 2016; 0.1 in Luo et al. 2019, "Bag of Tricks")."""

    circle_weight: float = Field(default=0.0, ge=0.0)
    """Weight of an additional term: circle loss of the embeddings (Sun et al. 2020) by
    pytorch-metric-learning, an extra (``losses``). Steps with it are not recorded as CUDA
    graphs."""

    guidance_weight: float = Field(default=0.0, ge=0.0)
    """Weight of an additional term, for rendered people alone, of whom it is known what each pixel
    shows: attention is to lie on the person, and frame weights are to follow how much of them is
    visible (`wherewhen.training.losses.guidance`). The trained network needs no such
    knowledge."""

    optimiser: Literal["rmsprop", "adamw"] = "rmsprop"
    """RMSProp (V-B, decision 17), or Adam with decoupled weight decay."""

    learning_rate: float = Field(default=1e-3, gt=0.0)
    """Learning rate (decision 17; the paper gives none)."""

    learning_rate_factors: dict[Part, Annotated[float, Field(ge=0.0)]] = {"attention": 0.02}
    """Factors on the learning rate for parts of the network; 0 freezes a part, 1 for those not
    named. Attention from the state alone saturated at the full rate; attention that also sees the
    features gains by it, and a stack with large hidden kernels needs ``gru: 0.1``
    (``docs/explanation/recipe.md``). ``identity`` is the classifier of `identity_weight`,
    ``trunk`` what is trained of the backbone."""

    batch_statistics: bool = False
    """Whether batch norms of a trained backbone use and update statistics of the batch; else those
    that came with its weights stay (not with `micro_batch`, `processes` or `recompute`, which would
    see a part of the batch, or see it twice)."""

    recompute: Annotated[bool, OPERATIONAL] = False
    """Compute the activations of a trained backbone again in the backward pass, stage by stage, in
    place of keeping them: a third more work in less memory (Chen et al. 2016, "Training Deep Nets
    with Sublinear Memory Cost"). The gradient is the same."""

    warmup_steps: int = Field(default=0, ge=0)
    """Steps of linear warm-up of the learning rate."""

    schedule: Literal["constant", "linear", "cosine", "steps"] = "constant"
    """Schedule of the learning rate after `warmup_steps`: constant, a linear or cosine decay to
    `final_learning_rate_factor` at the last step, or steps at `milestones`."""

    milestones: tuple[Annotated[float, Field(gt=0.0, lt=1.0)], ...] = (0.33, 0.58)
    """Shares of all steps after which ``steps`` multiplies the learning rate by `milestone_factor`,
    increasing (Luo et al. 2019: after 40 and 70 of 120 epochs)."""

    milestone_factor: float = Field(default=0.1, gt=0.0, lt=1.0)
    """Factor on the learning rate at each of the `milestones` (Luo et al. 2019: 0.1)."""

    final_learning_rate_factor: Share = 0.0
    """Factor on the learning rate at the last step, for ``linear`` and ``cosine``."""

    momentum: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Momentum of RMSProp (decision 17: 0.9, as in ``paper``). 0.9 makes the steps ten times as
    long; on toy cubes it did as well at 1e-4 as none at 1e-3, and no better at 1e-3."""

    weight_decay: float = Field(default=0.0, ge=0.0)
    """Decoupled weight decay of AdamW; of kernels and matrices, not of biases and scalars."""

    gradient_clip: float = Field(default=5.0, gt=0.0)
    """Every entry of the gradient is clipped to [-gradient_clip, gradient_clip] (IV-B)."""

    seed: int = Field(default=0, ge=0)
    """Seed of pairs, clips and dropout."""

    validation_fraction: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of the training persons held out for the validation curve (Fig 5: 10 %); 0 for none.
    Used by pipelines/train/nodes.py."""

    validate_every: int = Field(default=5, ge=1)
    """Epochs between points of the validation curve; the last epoch always has one."""

    patience: Annotated[int, Field(ge=1)] | None = None
    """Stop after so many points of the validation curve without improvement; None never stops
    early."""

    monitor: Literal["validation_loss", "validation_rank_1", "validation_map"] = "validation_loss"
    """The measure of `patience` and `keep`."""

    keep: Literal["last", "best"] = "last"
    """Final weights: the last, or those of the best point of the validation curve. Both are kept as
    checkpoints when there are validation persons."""

    checkpoint_every: Annotated[int, OPERATIONAL] = Field(default=50, ge=1)
    """Steps between checkpoints."""

    checkpoint_seconds: Annotated[float, OPERATIONAL] = Field(default=10.0, ge=0.0)
    """Minimum seconds between checkpoints, so that a fast step does not wait for the disk. The last
    step always has one."""

    micro_batch: Annotated[int, Field(ge=1)] | None = None
    """Encode so many clips at a time, so that a large batch fits into memory; None for all at once.
    Pairs still span the batch: clips are encoded without a graph, the loss is differentiated with
    respect to embeddings and attention, and every clip is encoded again. A third more work; the
    gradient equals that of the whole batch up to rounding."""

    processes: int = Field(default=1, ge=1)
    """Processes that share every batch, each on a GPU of its own (on a CPU, where they only take
    its threads from each other, for tests); of this machine, or of those that `execution` names.
    The gradient is that of the whole batch up to rounding, so that their number decides the last
    digits of the weights, and each share drops out with random numbers of its own
    (`wherewhen.training.processes`). `micro_batch` and `threads` hold for each process. Not with
    `batch_statistics`; steps are no CUDA graphs."""

    preload_gigabytes: Annotated[float, OPERATIONAL] = Field(default=4.0, ge=0.0)
    """Keep the training cubes in memory (float16) if they take no more, those of all `processes`
    together; else they are read one batch ahead."""

    preload_device_share: Annotated[Share, OPERATIONAL] = 0.5
    """Keep the training cubes on the GPU if they take at most this share of its free memory."""

    threads: int = Field(default=2, ge=1)
    """CPU threads of a step. Their number decides the order of sums and so the last digits of the
    weights: it is set here, not taken from the machine."""

    deterministic: bool = False
    """Use deterministic kernels alone, so that a GPU gives the same weights again, and refuse
    operations that have none (`torch.use_deterministic_algorithms`). A CPU repeats itself without.
    """

    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    """Precision of the convolutions' factors and results; sums inside of them, states, weights and
    updates are float32. ``auto`` is bfloat16 where the device is fast at it. float32 is never
    TF32."""

    convolution: Literal["auto", "direct", "dft"] = "auto"
    """Form of the convolutions, equal up to rounding: torch's own, products in the frequency
    domain, or the faster one for the device, the grid and the kernels."""

    cuda_graph: Annotated[bool, OPERATIONAL] = True
    """On a GPU, record the step of every batch shape as a CUDA graph (not with `micro_batch` or
    several `processes`)."""

    roofline: Annotated[bool, OPERATIONAL] = False
    """Measure the machine's rate of matrix products first, and log the step's share of it."""

    @classmethod
    def from_preset(cls, name: str, **changes: Any) -> TrainingConfig:
        """Take the values of a preset (`wherewhen.presets`) and change some of them."""
        return cls(**of_training(name, "training") | changes)

    @model_validator(mode="after")
    def _fields_agree(self) -> TrainingConfig:
        group = 1 + self.negatives_per_positive
        if self.pairs == "drawn" and self.pairs_per_batch % group:
            raise ValueError(
                f"pairs_per_batch is {self.pairs_per_batch}, expected a multiple of {group}: one "
                f"pair in {group} is positive (negatives_per_positive)"
            )
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones are {self.milestones}: expected them to increase")
        in_parts = self.micro_batch is not None or self.processes > 1
        if self.batch_statistics and (in_parts or self.recompute):
            raise ValueError(
                "batch_statistics are those of the whole batch, seen once: set micro_batch to "
                "null, processes to 1 and recompute to false, or batch_statistics to false"
            )
        idle = {
            "negatives_per_positive": (
                self.negatives_per_positive > 1 and self.pairs != "drawn",
                "pairs: drawn",
            ),
            "tracklets_per_person": (
                self.tracklets_per_person > 2 and self.pairs == "drawn",
                "pairs: all_in_batch",
            ),
            "pasted_frames": (self.pasted_frames > 0 and self.frames < 3, "frames: 3 or more"),
            "weight_decay": (
                self.weight_decay > 0 and self.optimiser != "adamw",
                "optimiser: adamw",
            ),
            "momentum": (self.momentum > 0 and self.optimiser == "adamw", "optimiser: rmsprop"),
            "entropy_target_end": (
                self.entropy_target_end is not None and not self.entropy_weight,
                "entropy_weight",
            ),
            "final_learning_rate_factor": (
                self.final_learning_rate_factor > 0 and self.schedule in ("constant", "steps"),
                "schedule: linear or cosine",
            ),
            "milestones": (
                self._is_set("milestones") and self.schedule != "steps",
                "schedule: steps",
            ),
            "milestone_factor": (
                self._is_set("milestone_factor") and self.schedule != "steps",
                "schedule: steps",
            ),
            "identity_smoothing": (
                self._is_set("identity_smoothing") and not self.identity_weight,
                "identity_weight",
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

    def _is_set(self, name: str) -> bool:
        """Whether a field is not at its default."""
        return getattr(self, name) != type(self).model_fields[name].default
