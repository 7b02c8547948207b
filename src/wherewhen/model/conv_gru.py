"""The recurrent stack: gated recurrent units whose products are convolutions (III-C, Eqs 2, 5)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

Size = tuple[int, int]


def convolve(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolve with zero padding that keeps the grid; every product of the stack comes by here.

    Parameters
    ----------
    inputs
        ``[N, C, H, W]``.
    weight
        ``[O, C, k1, k2]``, k1 and k2 odd.
    bias
        ``[O]`` or None.

    Returns
    -------
    Tensor
        ``[N, O, H, W]``.
    """
    padding = (weight.shape[2] // 2, weight.shape[3] // 2)
    return nn.functional.conv2d(inputs, weight, bias, padding=padding)


class ConvGRULayer(nn.Module):
    """One layer of Eq 5.

    ``z = sigma(W_z * x + U_z * h)``, ``r = sigma(W_r * x + U_r * h)``,
    ``c = tanh(W * x + U * (r h))``, ``h' = (1 - z) h + z c``.
    The three products of the input are one convolution, those of the state for z and r another.

    Parameters
    ----------
    inputs, channels
        Channels of the input and of the state.
    input_kernel, hidden_kernel
        Height and width of the kernels W and U.
    bias
        Whether the three have a bias.
    initialisation
        ``xavier_orthogonal`` or ``uniform`` (in [-1, 1]); biases start at zero.

    Attributes
    ----------
    input_weight
        W_z, W_r and W, ``[3 C, inputs, k1, k2]``.
    gate_weight
        U_z and U_r, ``[2 C, C, k1, k2]``.
    candidate_weight
        U, ``[C, C, k1, k2]``.
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
        self._initialise(initialisation)

    def _initialise(self, initialisation: str) -> None:
        if initialisation == "uniform":
            for weight in (self.input_weight, self.gate_weight, self.candidate_weight):
                nn.init.uniform_(weight, -1.0, 1.0)
            return
        with torch.no_grad():
            for weight in self.input_weight.chunk(3):  # a gate at a time: fused, fan-out triples
                nn.init.xavier_uniform_(weight)
            for weight in (*self.gate_weight.chunk(2), self.candidate_weight):
                nn.init.orthogonal_(weight)

    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        """Next state ``[N, C, H, W]`` from an input ``[N, inputs, H, W]`` and the last state."""
        from_input = convolve(inputs, self.input_weight, self.bias)
        gates, candidate = from_input.split((2 * self.channels, self.channels), dim=1)
        update, reset = torch.sigmoid(gates + convolve(state, self.gate_weight)).chunk(2, dim=1)
        candidate = torch.tanh(candidate + convolve(reset * state, self.candidate_weight))
        return torch.lerp(state, candidate, update)


class ConvGRUStack(nn.Module):
    """Layers of ConvGRUs, bottom to top, with max-pooling and dropout between them.

    Parameters
    ----------
    inputs
        Channels of the input.
    channels, input_kernels, hidden_kernels
        Of each layer.
    grid
        Locations a side, K, of the input.
    between_layers
        ``none``, ``max_3x3`` (stride 1, the grid stays) or ``max_2x2`` (stride 2, it halves).
    dropout
        Share of the non-recurrent outputs of each layer (to the next layer, to the embedding)
        dropped in training; the recurrence and the attention see whole states.
    bias, initialisation
        See `ConvGRULayer`.

    Attributes
    ----------
    grids
        Height and width of each layer's state.
    """

    def __init__(
        self,
        inputs: int,
        channels: Sequence[int],
        input_kernels: Sequence[Size],
        hidden_kernels: Sequence[Size],
        grid: int,
        between_layers: str = "none",
        dropout: float = 0.0,
        bias: bool = True,
        initialisation: str = "xavier_orthogonal",
    ) -> None:
        super().__init__()
        self.channels = tuple(channels)
        self.layers = nn.ModuleList()
        for count, below, input_kernel, hidden_kernel in zip(
            channels, (inputs, *channels[:-1]), input_kernels, hidden_kernels, strict=True
        ):
            self.layers.append(
                ConvGRULayer(below, count, input_kernel, hidden_kernel, bias, initialisation)
            )
        self.pool: nn.Module = {
            "none": nn.Identity(),
            "max_3x3": nn.MaxPool2d(3, stride=1, padding=1),
            "max_2x2": nn.MaxPool2d(2, stride=2),
        }[between_layers]
        self.dropout = nn.Dropout(dropout)
        sides = [grid]
        for _ in channels[1:]:
            sides.append(sides[-1] // 2 if between_layers == "max_2x2" else sides[-1])
        if sides[-1] == 0:
            raise ValueError(
                f"between_layers: max_2x2 leaves nothing of a {grid} x {grid} grid for "
                f"{len(channels)} layers; use fewer layers, max_3x3 or none"
            )
        self.grids: list[Size] = [(side, side) for side in sides]

    def forward(
        self, inputs: Tensor, states: Sequence[Tensor], valid: Tensor
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Advance every layer by one frame.

        Parameters
        ----------
        inputs
            ``[N, inputs, K, K]``.
        states
            Each layer's last state ``[N, C_l, H_l, W_l]``.
        valid
            ``[N, 1, 1, 1]``; a clip keeps its states over a padded frame.

        Returns
        -------
        states, outputs
            Each layer's next state, and the same after dropout.
        """
        next_states, outputs = [], []
        for index, (layer, state) in enumerate(zip(self.layers, states, strict=True)):
            below = inputs if index == 0 else self.pool(outputs[-1])
            next_states.append(torch.where(valid, layer(below, state), state))
            outputs.append(self.dropout(next_states[-1]))
        return next_states, outputs
