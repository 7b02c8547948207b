"""Convolutional gated recurrent units and their stack (III-C, Eqs 2 and 5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from wherewhen.model.config import NetworkConfig
from wherewhen.model.convolution import Convolution, Execution, Product, choose
from wherewhen.tracklets.sizes import Size, times


class Products(NamedTuple):
    """The convolutions of a layer, with kernels prepared for the frames of one batch."""

    form: Convolution
    input: Product
    """With W_z, W_r and W."""
    gates: Product
    """With U_z and U_r."""
    candidate: Product
    """With U."""


class LayerStep(NamedTuple):
    """State and gates of a layer after a frame, each ``[N, C, H, W]``."""

    state: Tensor
    """h', the next state."""
    update: Tensor
    """z: the update gate."""
    reset: Tensor
    """r: the reset gate."""


class ConvGRULayer(nn.Module):
    """One layer of Eq 5.

    ``z = sigma(W_z * x + U_z * h)``, ``r = sigma(W_r * x + U_r * h)``,
    ``c = tanh(W * x + U * (r h))``, ``h' = (1 - z) h + z c``.
    The three products of the input are one convolution, those of the state for z and r another.

    Parameters
    ----------
    inputs, channels : int
        Channels of the input and of the state.
    input_kernel, hidden_kernel : (int, int)
        Height and width of the kernels W and U.
    bias : bool
        Whether the three have a bias.
    initialisation : {"xavier_orthogonal", "centred", "uniform"}
        See `NetworkConfig.initialisation`.

    Attributes
    ----------
    input_weight
        W_z, W_r and W, ``[3 C, inputs, k1, k2]``.
    gate_weight
        U_z and U_r, ``[2 C, C, k1, k2]``.
    candidate_weight
        U, ``[C, C, k1, k2]``.

    Examples
    --------
    >>> layer = ConvGRULayer(inputs=4, channels=8, input_kernel=(3, 3), hidden_kernel=(1, 1))
    >>> layer(torch.zeros(2, 4, 7, 7), torch.zeros(2, 8, 7, 7)).shape
    torch.Size([2, 8, 7, 7])

    See Also
    --------
    ConvGRUStack : Several layers.
    """

    def __init__(
        self,
        inputs: int,
        channels: int,
        input_kernel: Size,
        hidden_kernel: Size,
        bias: bool = True,
        initialisation: str = "xavier_orthogonal",
    ) -> None:
        super().__init__()
        self.channels = channels
        self.input_weight = nn.Parameter(torch.empty(3 * channels, inputs, *input_kernel))
        self.gate_weight = nn.Parameter(torch.empty(2 * channels, channels, *hidden_kernel))
        self.candidate_weight = nn.Parameter(torch.empty(channels, channels, *hidden_kernel))
        self.bias = nn.Parameter(torch.zeros(3 * channels)) if bias else None
        with torch.no_grad():
            self._initialise(initialisation)

    def _initialise(self, initialisation: str) -> None:
        if initialisation == "uniform":
            for weight in (self.input_weight, self.gate_weight, self.candidate_weight):
                nn.init.uniform_(weight, -1.0, 1.0)
            return
        start = _at_the_centre if initialisation == "centred" else lambda weight, fill: fill(weight)
        for weight in self.input_weight.chunk(3):  # each gate alone, for its own fan-out
            start(weight, nn.init.xavier_uniform_)
        for weight in (*self.gate_weight.chunk(2), self.candidate_weight):
            start(weight, nn.init.orthogonal_)

    def products(self, grid: Size, execution: Execution, frames: int) -> Products:
        """Prepare the kernels for at most `frames` frames of one batch, of states on a grid."""
        weights = (self.input_weight, self.gate_weight, self.candidate_weight)
        kernels = [tuple(weight.shape[2:]) for weight in weights]
        device, dtype = self.input_weight.device, self.input_weight.dtype
        channels = (self.input_weight.shape[1], self.channels)
        form = choose(execution, device, dtype, grid, kernels, channels)
        return Products(form, *(form.kernel(weight, frames) for weight in weights))

    def forward(self, inputs: Tensor, state: Tensor, products: Products | None = None) -> Tensor:
        """Next state ``[N, C, H, W]`` from an input ``[N, inputs, H, W]`` and the last state.

        Without `products`, the kernels are prepared for this frame alone.
        """
        return self.step(inputs, state, products).state

    def step(self, inputs: Tensor, state: Tensor, products: Products | None = None) -> LayerStep:
        """Next state as from `forward`, with the gates."""
        products = products or self.products(tuple(state.shape[2:]), Execution(), 1)
        form, sizes = products.form, (2 * self.channels, self.channels)
        biases = (None, None) if self.bias is None else self.bias.split(sizes)
        gates, candidate = form.split(products.input(form.transform(inputs)), sizes)
        gates = gates + products.gates(form.transform(state))
        update, reset = torch.sigmoid(form.inverse(gates, biases[0])).chunk(2, dim=1)
        candidate = candidate + products.candidate(form.transform(reset * state))
        candidate = torch.tanh(form.inverse(candidate, biases[1]))
        return LayerStep(torch.lerp(state, candidate, update), update, reset)


def _at_the_centre(weight: Tensor, fill: Callable[[Tensor], Tensor]) -> None:
    """Initialise the centres of kernels as 1x1 kernels, and set the other taps to 0.

    Source: "delta-orthogonal" initialisation, Xiao et al., ICML 2018.
    """
    weight.zero_()
    row, column = weight.shape[2] // 2, weight.shape[3] // 2
    centre = torch.empty_like(weight[:, :, :1, :1], memory_format=torch.contiguous_format)
    weight[:, :, row : row + 1, column : column + 1] = fill(centre)


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each location of ``[N, C, H, W]``.

    Source: Ba et al., "Layer Normalization", 2016.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalised, ``[N, C, H, W]``."""
        return super().forward(inputs.movedim(1, 3)).movedim(3, 1)


class ConvGRUStack(nn.Module):
    """ConvGRU layers, bottom to top, with pooling, normalisation and residuals between them.

    The input of the first layer is x (h^0 of Eq 5) and its output ``y_1 = D(h_1)``. A layer l > 1
    has the input ``x_l = N(P(y_(l-1)))`` and the output ``y_l = D(h_l) + R(P(y_(l-1)))``: with
    pooling P (V-B, `NetworkConfig.between_layers`), normalisation N (none, or `ChannelNorm`),
    dropout D, and residual connection R (0, or the identity, as a learned 1x1 projection where the
    channels differ). The recurrence and the attention use h_l.

    Parameters
    ----------
    inputs : int
        Channels of the input.
    config : NetworkConfig
        Layers and what is between them.
    grid : (int, int)
        Height and width of the input.

    Attributes
    ----------
    grids
        Height and width of each layer's state.

    Examples
    --------
    >>> stack = ConvGRUStack(4, NetworkConfig(channels=[8, 6], between_layers="max_2x2"), (7, 7))
    >>> states = [torch.zeros(2, 8, 7, 7), torch.zeros(2, 6, 3, 3)]
    >>> _, outputs = stack(torch.zeros(2, 4, 7, 7), states)
    >>> [tuple(output.shape) for output in outputs]
    [(2, 8, 7, 7), (2, 6, 3, 3)]

    See Also
    --------
    ConvGRULayer : One of its layers.
    """

    def __init__(self, inputs: int, config: NetworkConfig, grid: Size) -> None:
        super().__init__()
        self.channels = config.channels
        below = (inputs, *self.channels[:-1])
        sizes = zip(below, self.channels, config.input_kernels, config.hidden_kernels, strict=True)
        self.layers = nn.ModuleList(
            ConvGRULayer(*size, config.gate_bias, config.initialisation) for size in sizes
        )
        self.pool: nn.Module = {
            "none": nn.Identity(),
            "max_3x3": nn.MaxPool2d(3, stride=1, padding=1),
            "max_2x2": nn.MaxPool2d(2, stride=2),
        }[config.between_layers]
        self.dropout = nn.Dropout(config.dropout)
        # of the layers above the first
        self.norms = nn.ModuleList(
            ChannelNorm(count) if config.normalisation == "layer" else nn.Identity()
            for count in self.channels[:-1]
        )
        self.skips = nn.ModuleList(
            _skip(below, count) for below, count in pairwise(self.channels) if config.residual
        )
        halved = 2 if config.between_layers == "max_2x2" else 1
        self.grids: list[Size] = [grid]
        for _ in self.channels[1:]:
            height, width = self.grids[-1]
            self.grids.append((height // halved, width // halved))
        if 0 in self.grids[-1]:
            raise ValueError(
                f"between_layers: max_2x2 leaves nothing of a {times(grid)} grid for "
                f"{len(self.channels)} layers; use fewer layers, max_3x3 or none"
            )

    def products(self, execution: Execution, frames: int) -> list[Products]:
        """Prepare the kernels of all layers for the frames of one batch."""
        return [
            layer.products(grid, execution, frames)
            for layer, grid in zip(self.layers, self.grids, strict=True)
        ]

    def forward(
        self,
        inputs: Tensor,
        states: Sequence[Tensor],
        valid: Tensor | None = None,
        products: Sequence[Products] | None = None,
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Advance every layer by one frame.

        Parameters
        ----------
        inputs : Tensor [N, inputs, H, W]
            The weighted cubes of a frame.
        states : sequence of Tensor [N, C_l, H_l, W_l]
            Each layer's last state.
        valid : Tensor of bool [N, 1, 1, 1], optional
            False for a padded frame, which leaves the states as they are; None if all are valid.
        products : sequence of Products, optional
            From `products`; None prepares the kernels for this frame.

        Returns
        -------
        states, outputs : list of Tensor
            Each layer's next state h_l and output y_l.
        """
        next_states, outputs = [], []
        for index, (layer, state) in enumerate(zip(self.layers, states, strict=True)):
            below = inputs if index == 0 else self.pool(outputs[-1])
            seen = below if index == 0 else self.norms[index - 1](below)
            after = layer(seen, state, products[index] if products else None)
            next_states.append(after if valid is None else torch.where(valid, after, state))
            output = self.dropout(next_states[-1])
            if index > 0 and self.skips:
                output = output + self.skips[index - 1](below)
            outputs.append(output)
        return next_states, outputs


def _skip(below: int, channels: int) -> nn.Module:
    if below == channels:
        return nn.Identity()
    projection = nn.Conv2d(below, channels, 1, bias=False)
    nn.init.orthogonal_(projection.weight)
    return projection
