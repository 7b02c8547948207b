"""What the network is made of, as a typed configuration; importing it costs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from wherewhen.presets import load_preset


def _as_pair(value: Any) -> Any:
    return (value, value) if isinstance(value, int) else value


Kernel = Annotated[
    tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]], BeforeValidator(_as_pair)
]
"""Height and width of a convolution kernel, both odd; one number stands for both."""


class NetworkConfig(BaseModel):
    """Parts of the Siamese attention network; the defaults are the preset ``modern``.

    "Row" is a row of the project's table of decisions about what the paper leaves open
    (``paper-decisions.md``), "Eq" an equation of the paper "Where-and-When to Look".
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    standardise: bool = True
    """Shift and scale every channel of the cubes to mean 0, deviation 1 over the training cubes.
    The paper feeds them raw."""

    projection: Annotated[int, Field(ge=1)] | None = 64
    """Channels of a learned 1x1 projection of the cubes that starts as their PCA, not whitened;
    None feeds all the backbone's channels (the paper)."""

    channels: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(64,), min_length=1)
    """Channels of each ConvGRU layer, bottom to top (V-B: 128, 256, 256; rows 4, 6)."""

    input_kernels: tuple[Kernel, ...] = Field(default=((3, 3),), min_length=1)
    """Input-to-hidden kernel of each layer, W of Eq 5 (row 6; Table II); one entry serves all."""

    hidden_kernels: tuple[Kernel, ...] = Field(default=((1, 1),), min_length=1)
    """Hidden-to-hidden kernel of each layer, U of Eq 5 (row 6; Table II); one entry serves all. A
    larger one cost points with 40 persons and with 1,000, unless the stack had a tenth of the rate
    (``docs/explanation/learning.md``)."""

    gate_bias: bool = True
    """Whether the gates and the candidate of Eq 5 have a bias, starting at zero (row 12; the paper
    shows none)."""

    update_bias: float = 0.0
    """Start of the update gate's bias, in logits: -2 lets a state take up an eighth of its
    candidate at every frame, where 0 takes half. Needs `gate_bias`."""

    initialisation: Literal["xavier_orthogonal", "centred", "uniform"] = "xavier_orthogonal"
    """Start of the ConvGRU kernels: Xavier for W and orthogonal for U; the same at the kernels'
    centres and 0 around them, so that a large kernel starts as the 1x1 kernel of the same seed;
    or U[-1, 1] as in V-B (row 12)."""

    recurrence: Literal["gru", "none"] = "gru"
    """What a frame's states follow from: the frame before (Eq 5), or the initial state at every
    frame. The second has the same weights, but no frame knows of another, save by the mean of
    Eq 7 (`initial_state`)."""

    between_layers: Literal["none", "max_3x3", "max_2x2"] = "none"
    """Max-pooling between layers: none, 3x3 with stride 1, or 2x2 with stride 2 (row 7)."""

    normalisation: Literal["none", "layer", "group"] = "none"
    """What every layer but the first does to its input: nothing, or bring it to mean 0 and
    deviation 1 (and scale and shift it, learned) over the channels of each location, or over each
    of `normalisation_groups` groups of channels and all locations."""

    normalisation_groups: int = Field(default=4, ge=1)
    """Groups of channels, for the normalisation `group`."""

    residual: bool = False
    """Whether what goes up from every layer but the first is its state plus its input, which a
    learned 1x1 projection brings to the state's channels where they differ."""

    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of each layer's non-recurrent outputs that is dropped in training (row 11)."""

    initial_state: Literal["learned", "zeros"] = "learned"
    """States before the first frame: a tanh head a layer on the mean slice (Eq 7, row 9), or 0."""

    attention: Literal["learned", "muted"] = "learned"
    """Weights of the locations: learned (Eq 3), or fixed at 1/(K*K) (row 13)."""

    attention_layer: Annotated[int, Field(ge=1)] | None = None
    """The layer whose previous state the attention sees, 1 the lowest; None for the top (row 2)."""

    attention_state: Literal["mean", "flattened"] = "mean"
    """What of that state the attention sees: its spatial mean, or all of it (row 2)."""

    conditioned_on_features: bool = False
    """Whether the score of a location also depends on the features X(t, i) found there (row 2).
    Eq 3 sees the state alone."""

    attention_hidden: int = Field(default=64, ge=1)
    """Hidden units of the attention's two-layer perceptron (row 2; the paper names no number)."""

    attention_temperature: float = Field(default=1.0, gt=0.0)
    """Divides the scores of Eq 3: below 1 the weights are more selective, above more uniform."""

    glimpse: Literal["cube", "expectation"] = "cube"
    """What the weights make of the cube: each slice scaled, K x K x D (Eq 4, Fig 3), or the sum
    over the locations, 1 x 1 x D (the text of III-B); all layers then have a 1 x 1 grid (row 3)."""

    attention_rescale: bool = True
    """Multiply the weighted cube of Eq 4 by K*K, so that uniform attention changes nothing
    (row 3). An expectation is never rescaled: uniform, it is the mean."""

    temporal_pooling: Literal["attention", "average", "max"] = "attention"
    """How the states of the frames become one (Eq 6, row 8)."""

    temporal_hidden: int = Field(default=64, ge=1)
    """Hidden units of the perceptron that weighs the frames (row 8; the paper names no number)."""

    readout: Literal["with_input", "concatenated", "top"] = "with_input"
    """Whose states make the embedding: every layer's side by side and the attended input with them
    (h^0 = x of Eq 5: what a layer does not keep is not lost), every layer's, or the top layer's
    (III-D)."""

    location: Literal["cells", "rows", "mean"] = "rows"
    """What the embedding keeps of the grid: every cell (III-D), the rows (mean over the width), or
    nothing (mean over both)."""

    normalise: bool = True
    """Scale embeddings to length 1. The paper leaves them as they are."""

    similarity: Literal["cosine", "weighted"] = "cosine"
    """The logit of a pair: exp(s) cos + b with learned s and b, or v . (h_a * h_b) + c (Eq 8,
    row 10)."""

    seed: int = Field(default=0, ge=0)
    """Seed of the initial weights."""

    @classmethod
    def from_preset(cls, name: str, **changes: Any) -> NetworkConfig:
        """Take the values of a preset (`wherewhen.presets`) and change some of them."""
        return cls(**load_preset(name)["network"] | changes)

    @model_validator(mode="before")
    @classmethod
    def _one_kernel_serves_all(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        channels = values.get("channels", cls.model_fields["channels"].default)
        if not isinstance(channels, list | tuple):
            return values  # the field's own check says what is wrong with it
        kernels = {
            name: values.get(name, cls.model_fields[name].default)
            for name in ("input_kernels", "hidden_kernels")
        }
        kernels = {name: (one,) if isinstance(one, int) else one for name, one in kernels.items()}
        repeats = {name: len(channels) if len(one) == 1 else 1 for name, one in kernels.items()}
        return values | {name: tuple(one) * repeats[name] for name, one in kernels.items()}

    @model_validator(mode="after")
    def _layers_agree(self) -> NetworkConfig:
        if self.attention_layer is not None and self.attention_layer > len(self.channels):
            raise ValueError(
                f"attention_layer is {self.attention_layer}, but there are {len(self.channels)} "
                f"layers (channels): choose at most that, or null for the top"
            )
        if self.update_bias and not self.gate_bias:
            raise ValueError("update_bias needs a bias to start: set gate_bias to true")
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

    @model_validator(mode="after")
    def _groups_divide_channels(self) -> NetworkConfig:
        if self.normalisation == "group":
            for count in self.channels[:-1]:  # the inputs of all layers but the first
                if count % self.normalisation_groups:
                    raise ValueError(
                        f"normalisation_groups: {self.normalisation_groups} does not divide the "
                        f"{count} channels of a layer"
                    )
        return self


class FisherConfig(BaseModel):
    """Fisher vectors in the place of the network's temporal pooling (Eq 10, row 8)."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    components: int = Field(default=8, ge=1)
    """Gaussians C of the mixture (V-D; the paper names no number)."""

    dimension: Annotated[int, Field(ge=1)] | None = None
    """Dimensions that a PCA leaves of a frame's states before the mixture; None for no PCA (the
    paper). A Fisher vector has 2 D C entries."""

    improved: bool = True
    """Take signed square roots, then scale to length 1; the paper has neither."""

    frames: int = Field(default=10_000, ge=1)
    """Frames of training persons, about, to which the mixture is fitted."""

    seed: int = Field(default=0, ge=0)
    """Seed of those frames' choice and of the mixture's start."""
