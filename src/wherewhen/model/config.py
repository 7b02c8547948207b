"""Configuration of the network; importing it does not import torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from wherewhen.presets import of_training


def _as_pair(value: Any) -> Any:
    return (value, value) if isinstance(value, int) else value


def _in_words(value: Any) -> Any:
    """Read the switch that earlier versions had, in their files and parameters."""
    return {True: "scale", False: "none"}[value] if isinstance(value, bool) else value


Standardisation = Annotated[Literal["none", "centre", "scale"], BeforeValidator(_in_words)]
"""Use of the statistics of the training cubes' channels."""

Kernel = Annotated[
    tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]], BeforeValidator(_as_pair)
]
"""Height and width of a convolution kernel, both odd; one number stands for both."""


class NetworkConfig(BaseModel):
    """Parts of the network; the defaults are the preset ``modern``.

    "Decision" is a row of ``docs/explanation/paper-decisions.md``, what the paper
    "Where-and-When to Look" leaves open; "Eq" and sections are the paper's.

    Examples
    --------
    >>> NetworkConfig(channels=[32, 64], hidden_kernels=3).hidden_kernels
    ((3, 3), (3, 3))
    >>> NetworkConfig.from_preset("paper", channels=[32, 64, 64]).readout
    'top'

    See Also
    --------
    wherewhen.model.siamese.build_network : Builds the network.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    head: Literal["siamese_attention", "average", "temporal_attention", "transformer"] = (
        "siamese_attention"
    )
    """What makes an embedding of the frames: the paper's Siamese attention ConvGRU; their mean; a
    mean with weights by convolutions over space and time (both Gao and Nevatia 2018, "Revisiting
    Temporal Modeling for Video-based Person ReID"); or the mean of the outputs of a transformer
    over the frames (Vaswani et al. 2017) (`wherewhen.model.heads`). The last three use
    ``standardise``, ``scale_floor``, ``basis``, ``projection``, ``location``, ``normalise``,
    ``neck``, ``similarity`` and ``seed``, the transformer ``dropout``, too. They have no use for
    the other fields, which presets set, and attend to all locations alike."""

    transformer_layers: int = Field(default=1, ge=1)
    """Layers of the transformer."""

    transformer_heads: int = Field(default=4, ge=1)
    """Attention heads of each of its layers; they divide the entries of a frame's vector."""

    standardise: Standardisation = "scale"
    """Use of the channels' statistics over the training cubes. ``none``: the cubes as they are (the
    paper). ``centre``: the mean of every channel is subtracted, and all are divided by one number,
    the root mean square of their deviations. ``scale``: every channel is divided by its own
    deviation. On footage that the network was not trained on, ``centre`` transfers better
    (``docs/explanation/learning.md``)."""

    scale_floor: float = Field(default=0.0, ge=0.0)
    """Least deviation by which ``standardise: scale`` divides, as a share of the root mean square
    of all channels' deviations; 0 for none. A channel that is nearly silent in training is
    otherwise enlarged without limit, and dominates where it is not silent. With 0.1, only
    channels with less than a hundredth of the mean variance are held back; where all are,
    ``scale`` is ``centre``."""

    basis: Annotated[int, Field(ge=1)] | None = None
    """Components of a PCA of the training cubes, through which all cubes pass before `projection`
    and which no training changes; None for no such PCA. Training then reads cubes that are reduced
    to so many channels once and rounded to float16, which makes the steps faster where the
    backbone has many channels. The trained network takes the backbone's cubes."""

    projection: Annotated[int, Field(ge=1)] | None = 64
    """Channels of a learned 1x1 projection of the cubes that starts as their PCA, not whitened;
    None keeps all the backbone's channels (the paper)."""

    channels: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(64,), min_length=1)
    """Channels of each ConvGRU layer, bottom to top (V-B: 128, 256, 256; decisions 4, 6)."""

    input_kernels: tuple[Kernel, ...] = Field(default=((3, 3),), min_length=1)
    """Input-to-hidden kernel of each layer, W of Eq 5 (decision 6; Table II); one entry is taken
    for all layers."""

    hidden_kernels: tuple[Kernel, ...] = Field(default=((1, 1),), min_length=1)
    """Hidden-to-hidden kernel of each layer, U of Eq 5 (decision 6; Table II); one entry is taken
    for all layers. Larger ones scored lower with 40 and with 1,000 persons, unless the stack had a
    tenth of the learning rate (``docs/explanation/recipe.md``)."""

    gate_bias: bool = True
    """Whether the gates and the candidate of Eq 5 have a bias, initially zero (decision 12; the
    paper shows none)."""

    initialisation: Literal["xavier_orthogonal", "centred", "uniform"] = "xavier_orthogonal"
    """Initial ConvGRU kernels: Xavier for W and orthogonal for U; the same at the kernels' centres
    and 0 elsewhere, so that a large kernel equals the 1x1 kernel of the same seed; or U[-1, 1] as
    in V-B (decision 12)."""

    recurrence: Literal["gru", "none"] = "gru"
    """Whether a frame's states follow from the frame before (Eq 5), or from the initial state for
    every frame. ``none`` has the same weights, but frames share nothing except the mean of Eq 7
    (`initial_state`)."""

    between_layers: Literal["none", "max_3x3", "max_2x2"] = "none"
    """Max-pooling between layers: none, 3x3 with stride 1, or 2x2 with stride 2 (decision 7)."""

    normalisation: Literal["none", "layer"] = "none"
    """``layer``: layer normalisation of the input of every layer but the first, over the channels
    of each location."""

    residual: bool = False
    """Residual connections around every layer but the first, by a learned 1x1 projection where the
    channels differ."""

    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Dropout of each layer's non-recurrent outputs (decision 11); of the transformer's parts."""

    initial_state: Literal["learned", "zeros"] = "learned"
    """States before the first frame: a tanh head for each layer on the mean slice (Eq 7, decision
    9), or 0."""

    attention: Literal["learned", "muted"] = "learned"
    """Weights of the locations: learned (Eq 3), or fixed at 1/(H*W) (decision 13)."""

    attention_layer: Annotated[int, Field(ge=1)] | None = None
    """The layer whose previous state the attention sees, 1 the lowest; None for the top
    (decision 2)."""

    attention_state: Literal["mean", "flattened"] = "mean"
    """Form of that state: its spatial mean, or flattened (decision 2)."""

    conditioned_on_features: bool = False
    """Whether the score of a location also depends on the features X(t, i) there (decision 2). Eq 3
    uses the state alone."""

    attention_temperature: float = Field(default=1.0, gt=0.0)
    """Temperature of the softmax of Eq 3: below 1 the weights are more selective, above more
    uniform."""

    glimpse: Literal["cube", "expectation"] = "cube"
    """What the weights are applied to: each slice is scaled, H x W x D (Eq 4, Fig 3); or the sum
    over the locations, 1 x 1 x D (the text of III-B), which gives all layers a 1 x 1 grid
    (decision 3)."""

    attention_rescale: bool = True
    """Multiply the weighted cube of Eq 4 by H*W, so that uniform attention changes nothing
    (decision 3). An expectation is never rescaled."""

    temporal_pooling: Literal["attention", "agreement", "average", "max"] = "attention"
    """Pooling of the frames' states (Eq 6, decision 8). ``agreement`` is Eq 6 with weights that
    also depend on how far a frame agrees with the others of its clip."""

    readout: Literal["with_input", "concatenated", "top"] = "with_input"
    """Layers whose states make the embedding: all of them and the attended input (h^0 = x of Eq 5),
    all of them, or the top layer (III-D)."""

    location: Literal["cells", "rows", "mean"] = "rows"
    """What the embedding keeps of the grid: every cell (III-D), the rows (mean over the width), or
    nothing (mean over both)."""

    normalise: bool = True
    """Normalise embeddings to length 1. The paper does not."""

    neck: Literal["none", "batch_norm"] = "none"
    """``batch_norm``: batch normalisation of embeddings, before they are normalised to length 1
    (Luo et al. 2019, "Bag of Tricks and A Strong Baseline for Deep Person Re-identification"). The
    pairs, the classifier and the testing see embeddings after it, triplets and circle loss those
    before it (`wherewhen.model.neck`)."""

    similarity: Literal["cosine", "weighted"] = "cosine"
    """Logit of a pair: exp(s) cos + b with learned s and b, or v . (h_a * h_b) + c (Eq 8, decision
    10)."""

    seed: int = Field(default=0, ge=0)
    """Seed of the initial weights."""

    @classmethod
    def from_preset(cls, name: str, **changes: Any) -> NetworkConfig:
        """Take the values of a preset (`wherewhen.presets`) and change some of them."""
        return cls(**of_training(name, "network") | changes)

    @model_validator(mode="before")
    @classmethod
    def _repeat_a_single_kernel(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        channels = values.get("channels", cls.model_fields["channels"].default)
        if not isinstance(channels, list | tuple):
            return values  # the field's own validation reports it
        kernels = {
            name: values.get(name, cls.model_fields[name].default)
            for name in ("input_kernels", "hidden_kernels")
        }
        kernels = {name: (one,) if isinstance(one, int) else one for name, one in kernels.items()}
        repeats = {name: len(channels) if len(one) == 1 else 1 for name, one in kernels.items()}
        return values | {name: tuple(one) * repeats[name] for name, one in kernels.items()}

    @model_validator(mode="after")
    def _head_is_chosen(self) -> NetworkConfig:
        for name in ("transformer_layers", "transformer_heads"):
            default = type(self).model_fields[name].default
            if self.head != "transformer" and getattr(self, name) != default:
                raise ValueError(
                    f"{name} has no effect without head: transformer: set that, or take {name} "
                    f"back to {default}"
                )
        return self

    @model_validator(mode="after")
    def _layers_agree(self) -> NetworkConfig:
        if None not in (self.basis, self.projection) and self.projection > self.basis:
            raise ValueError(
                f"projection: {self.projection} channels asked of a basis that has {self.basis}; "
                f"choose at most {self.basis}, a larger basis, or null for no projection"
            )
        if self.attention_layer is not None and self.attention_layer > len(self.channels):
            raise ValueError(
                f"attention_layer is {self.attention_layer}, but there are {len(self.channels)} "
                f"layers (channels): choose at most that, or null for the top"
            )
        for name in ("input_kernels", "hidden_kernels"):
            kernels = getattr(self, name)
            if len(kernels) != len(self.channels):
                raise ValueError(
                    f"{name} names {len(kernels)} layers, channels {len(self.channels)}: "
                    f"give one kernel a layer, or one for all; the kernels of Table III are for "
                    f"three channels"
                )
            for kernel in kernels:
                if kernel[0] % 2 == 0 or kernel[1] % 2 == 0:
                    raise ValueError(
                        f"{name}: {kernel[0]}x{kernel[1]} is even; zero padding keeps the grid "
                        f"only for odd kernels"
                    )
        return self


class FisherConfig(BaseModel):
    """Fisher vectors as the temporal pooling of a trained network (Eq 10, decision 8)."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    components: int = Field(default=8, ge=1)
    """Gaussians C of the mixture (V-D; the paper names no number)."""

    dimension: Annotated[int, Field(ge=1)] | None = None
    """Dimensions of a PCA of the frames' states before the mixture; None for no PCA (the paper). A
    Fisher vector has 2 D C entries."""

    improved: bool = True
    """Take signed square roots, then normalise to length 1; the paper does neither."""

    frames: int = Field(default=10_000, ge=1)
    """Approximate number of training frames to which the mixture is fitted."""

    seed: int = Field(default=0, ge=0)
    """Seed of the choice of frames and of the mixture's initialisation."""
