"""What the network is made of, as a typed configuration; importing it costs no torch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


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

    hidden_kernels: tuple[Kernel, ...] = Field(default=((3, 3),), min_length=1)
    """Hidden-to-hidden kernel of each layer, U of Eq 5 (row 6; Table II); one entry serves all."""

    gate_bias: bool = True
    """Whether the gates and the candidate of Eq 5 have a bias, starting at zero (row 12; the paper
    shows none)."""

    initialisation: Literal["xavier_orthogonal", "uniform"] = "xavier_orthogonal"
    """Start of the ConvGRU kernels: Xavier for W and orthogonal for U, or U[-1, 1] as in V-B
    (row 12)."""

    between_layers: Literal["none", "max_3x3", "max_2x2"] = "none"
    """Max-pooling between layers: none, 3x3 with stride 1, or 2x2 with stride 2 (row 7)."""

    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of each layer's non-recurrent outputs that is dropped in training (row 11)."""

    initial_state: Literal["learned", "zeros"] = "learned"
    """States before the first frame: a tanh head a layer on the mean slice (Eq 7, row 9), or 0."""

    attention: Literal["learned", "muted"] = "learned"
    """Weights of the locations: learned (Eq 3), or fixed at 1/(K*K) (row 13)."""

    attention_state: Literal["mean", "flattened"] = "mean"
    """What of the top layer's previous state the attention sees: its spatial mean, or all of it
    (row 2)."""

    attention_hidden: int = Field(default=64, ge=1)
    """Hidden units of the attention's two-layer perceptron (row 2; the paper names no number)."""

    attention_rescale: bool = True
    """Multiply the weighted cube of Eq 4 by K*K, so that uniform attention changes nothing
    (row 3)."""

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

    @model_validator(mode="before")
    @classmethod
    def _one_kernel_serves_all(cls, values: Any) -> Any:
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
        for name in ("input_kernels", "hidden_kernels"):
            kernels = getattr(self, name)
            if len(kernels) != len(self.channels):
                raise ValueError(
                    f"{name} names {len(kernels)} layers, channels {len(self.channels)}: "
                    f"give one kernel a layer, or one for all"
                )
            for kernel in kernels:
                if kernel[0] % 2 == 0 or kernel[1] % 2 == 0:
                    raise ValueError(
                        f"{name}: {kernel[0]}x{kernel[1]} is even; zero padding keeps the grid "
                        f"only for odd kernels"
                    )
        return self


PRESETS: dict[str, dict[str, Any]] = {
    "modern": {},
    "paper": {
        "standardise": False,
        "projection": None,
        "channels": (128, 256, 256),
        "input_kernels": (3, 5, 5),
        "hidden_kernels": (5, 5, 5),
        "gate_bias": False,
        "initialisation": "uniform",
        "dropout": 0.7,
        "attention_rescale": False,
        "readout": "top",
        "location": "cells",
        "normalise": False,
        "similarity": "weighted",
    },
}
"""``modern``: what trains well (the defaults). ``paper``: the letter of the paper where it gives
one."""


def network_config(preset: str = "modern", **overrides: Any) -> NetworkConfig:
    """Configure the network from a preset and what differs from it.

    Parameters
    ----------
    preset
        ``modern`` or ``paper``.
    **overrides
        Fields of `NetworkConfig` that replace the preset's.

    Raises
    ------
    ValueError
        For an unknown preset or field, or a value that makes no sense.
    """
    if preset not in PRESETS:
        raise ValueError(f"unknown preset {preset!r} of the network: choose from {list(PRESETS)}")
    return NetworkConfig(**PRESETS[preset] | overrides)
