"""What all networks have in common: inputs, masks, readout, comparison (III, Fig 1).

Both branches of a Siamese network share all weights, so there is one. What stands between the
inputs and the readout is a head, a subclass in `wherewhen.model.heads`.
"""

from __future__ import annotations

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from wherewhen.model.config import NetworkConfig
from wherewhen.model.convolution import Execution
from wherewhen.model.heads import HEADS
from wherewhen.model.neck import BatchNormNeck
from wherewhen.model.projection import CubeInput
from wherewhen.model.similarity import ScaledCosine, WeightedProduct
from wherewhen.model.temporal_pooling import TemporalPooling
from wherewhen.model.threads import torch_threads
from wherewhen.tracklets.sizes import Size, as_size

if TYPE_CHECKING:
    from wherewhen.features.trunk import Trunk


Enter = Callable[[Tensor, torch.dtype], Tensor]
"""Makes inputs of cubes, with products in a dtype."""


class Encoding(NamedTuple):
    """Embeddings and weights of N clips of T frames."""

    embedding: Tensor
    """``[N, E]``: h-bar of Eq 6, flattened."""
    attention: Tensor
    """``[N, T, H, W]``: m of Eq 3, summing to 1 over a valid frame's grid, 0 where padded."""
    frame_weights: Tensor
    """``[N, T]``: alpha of Eq 6, summing to 1 over a clip, 0 where padded."""


class Readout(nn.Module):
    """Flattens the pooled states of the layers that are read out into one vector.

    Parameters
    ----------
    channels, grids : list of int, of (int, int)
        Channels and grid (height, width) of the layers.
    location : {"cells", "rows", "mean"}
        All cells, their mean over the width, or over both.
    normalise : bool
        Whether the vector is normalised to length 1.

    Examples
    --------
    >>> Readout([8], [(7, 7)], "rows", normalise=True)([torch.ones(2, 8, 7, 7)]).shape
    torch.Size([2, 56])
    """

    def __init__(
        self, channels: list[int], grids: list[tuple[int, int]], location: str, normalise: bool
    ) -> None:
        super().__init__()
        self.averaged = {"cells": (), "rows": (3,), "mean": (2, 3)}[location]
        self.normalise = normalise
        kept = {"cells": lambda h, w: h * w, "rows": lambda h, w: h, "mean": lambda h, w: 1}
        self.size = sum(c * kept[location](*grid) for c, grid in zip(channels, grids, strict=True))

    def forward(self, pooled: list[Tensor]) -> Tensor:
        """Embeddings ``[N, E]`` of pooled states ``[N, C_l, H_l, W_l]``."""
        if self.averaged:
            pooled = [state.mean(self.averaged) for state in pooled]
        embedding = torch.cat([state.flatten(1) for state in pooled], dim=1)
        return nn.functional.normalize(embedding, dim=1) if self.normalise else embedding


class SiameseNetwork(nn.Module, ABC):
    """Encodes clips of feature cubes and compares them.

    A subclass, a head, makes its parts and `temporal_pooling`, calls `_read_out` and defines
    `states`. The names of its parts stand in the files of its weights.

    Padded frames (mask False) have no influence: an encoding equals that of the clip without these
    frames. Their content is set to 0, and the pooling and the penalty of Eq 9 exclude them; a head
    leaves them out of what else it sums over frames.

    Parameters
    ----------
    config : NetworkConfig
        The parts.
    channels : int
        Channels D of the cubes.
    grid : int or (int, int)
        Height and width of their grid in cells; one number for both.

    Attributes
    ----------
    grid : (int, int)
        Height and width.
    execution : Execution
        How it computes; may be changed at any time.
    temporal_pooling : TemporalPooling
        Pools the frames' states (Eq 6).
    trunk : Trunk or None
        The trained layers of the backbone; None where all of it is frozen. `channels` and `grid`
        are those of the cubes behind it.

    Examples
    --------
    >>> network = build_network(NetworkConfig(projection=4, channels=[8]), channels=16, grid=7)
    >>> encoding = network.eval().encode(torch.zeros(2, 5, 7, 7, 16))
    >>> encoding.embedding.shape, encoding.attention.shape
    (torch.Size([2, 84]), torch.Size([2, 5, 7, 7]))

    See Also
    --------
    build_network : Builds it with seeded initial weights.
    wherewhen.model.encode.encode_tracklets : Embeds tracklets.
    wherewhen.model.heads : The heads.
    """

    temporal_pooling: TemporalPooling

    def __init__(self, config: NetworkConfig, channels: int, grid: int | Size) -> None:
        super().__init__()
        self.config = config
        self.execution = Execution()
        self.grid = as_size(grid)
        self.trunk: Trunk | None = None
        self.input = CubeInput(
            channels, config.projection, config.standardise, config.scale_floor, config.basis
        )

    def _read_out(self, channels: Sequence[int], grids: Sequence[Size]) -> None:
        """Make the parts after the pooling, for states of such channels and grids."""
        config = self.config
        after_neck = config.neck == "batch_norm"
        normalise = config.normalise and not after_neck
        self.readout = Readout(list(channels), list(grids), config.location, normalise)
        self.neck = (
            BatchNormNeck(self.readout.size, config.normalise) if after_neck else nn.Identity()
        )
        self.similarity = (
            WeightedProduct(self.readout.size, config.normalise)
            if config.similarity == "weighted"
            else ScaledCosine()
        )

    @abstractmethod
    def states(self, inputs: Tensor, mask: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """Make the frames' states, and say where each frame was looked at.

        Parameters
        ----------
        inputs : Tensor [N, T, H, W, C]
            From `input`; 0 where padded.
        mask : Tensor of bool [N, T], optional
            Valid frames; None if all are.

        Returns
        -------
        attention : Tensor [N, T, H, W]
            Weights of the locations, 0 where padded.
        states : list of Tensor [N, T, C_l, H_l, W_l]
            Of each layer that is read out; finite where padded.
        """

    @property
    def multiplications(self) -> int:
        """Multiplications for the states of a frame, without those of `input`."""
        return 0

    @property
    def channels(self) -> int:
        """Channels D of the cubes."""
        return self.input.in_channels

    @property
    def takes(self) -> tuple[int, int, int]:
        """Height, width and channels of the cubes that go in."""
        return (*self.grid, self.channels) if self.trunk is None else self.trunk.takes

    @property
    def embedding_size(self) -> int:
        """Entries E of an embedding."""
        return self.readout.size

    @property
    def calibrated(self) -> bool:
        """Whether the input statistics are estimated, or none are needed."""
        return bool(self.input.calibrated)

    def calibrate(self, cubes: Tensor | np.ndarray | Iterable[Tensor | np.ndarray]) -> None:
        """Estimate statistics, basis and initial projection from training cubes.

        They, or portions of them, are ``[..., H, W, D]``, of valid frames only.

        Raises
        ------
        ValueError
            If the cubes have another number of channels.
        """
        portions = [cubes] if isinstance(cubes, Tensor | np.ndarray) else cubes
        tensors = (torch.as_tensor(part, device=self.input.mean.device) for part in portions)
        if self.trunk is not None:
            tensors = map(torch.no_grad()(self.trunk.eval()), tensors)
        self.input.calibrate(tensors)

    def encode(self, cubes: Tensor, mask: Tensor | None = None, trusted: bool = False) -> Encoding:
        """Run clips through Eqs 3 to 7.

        Parameters
        ----------
        cubes : Tensor [N, T, H, W, D]
            In time order, any floating dtype.
        mask : Tensor of bool [N, T], optional
            Valid frames, at least one a clip; None if all are valid, which is faster.
        trusted : bool
            Do not check the mask's values, so that the CPU does not wait for a GPU. Otherwise a
            mask of valid frames alone is replaced by None.

        Raises
        ------
        ValueError
            If shapes disagree with the network or each other, or a clip has no valid frame.
        """
        encoding = self._encode(self.input, self.channels, cubes, mask, trusted)
        return encoding._replace(embedding=self.neck(encoding.embedding))

    forward = encode

    def encode_reduced(
        self, cubes: Tensor, mask: Tensor | None = None, trusted: bool = False
    ) -> Encoding:
        """Encode clips as training does: of cubes in the frozen basis, up to the neck.

        `neck` makes embeddings of what is returned as such, for all clips of a batch at once.

        Parameters
        ----------
        cubes : Tensor [N, T, H, W, B]
            From ``input.reduce``; the cubes themselves where the network has no basis.
        mask, trusted
            As for `encode`.

        Raises
        ------
        ValueError
            As `encode` does.
        """
        return self._encode(self.input.project, self.input.reduced_channels, cubes, mask, trusted)

    def _encode(
        self,
        enter: Enter,
        channels: int,
        cubes: Tensor,
        mask: Tensor | None,
        trusted: bool,
    ) -> Encoding:
        """Encode cubes of so many channels, of which `enter` makes the inputs, up to the neck."""
        mask = self._checked_mask(cubes, channels, mask, trusted)
        attention, states = self._read(enter, cubes, mask)
        if mask is None:
            mask = torch.ones(cubes.shape[:2], dtype=torch.bool, device=cubes.device)
        pooled, frame_weights = self.temporal_pooling(states, mask)
        return Encoding(self.readout(pooled), attention, frame_weights)

    def frame_states(self, cubes: Tensor, mask: Tensor | None = None) -> Tensor:
        """Embeddings ``[N, T, E]`` of single frames' states: Eqs 3 to 5 and 7, without Eq 6.

        Arguments and errors are those of `encode`; padded frames are 0. Input of
        `wherewhen.model.fisher_vector.FisherVector` (Eq 10).
        """
        mask = self._checked_mask(cubes, self.channels, mask)
        _, states = self._read(self.input, cubes, mask)
        embeddings = self.neck(self.readout([state.flatten(0, 1) for state in states]))
        embeddings = embeddings.unflatten(0, cubes.shape[:2])
        return embeddings if mask is None else embeddings.masked_fill(~mask[:, :, None], 0.0)

    def _read(
        self, enter: Enter, cubes: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Attention ``[N, T, H, W]``, and ``[N, T, C_l, H_l, W_l]`` of each layer read out."""
        dtype = self.execution.dtype(cubes.device, self.input.mean.dtype)
        if mask is None:
            return self.states(enter(self.through_trunk(cubes), dtype), None)
        # masked twice: NaN in padding reaches neither outputs nor gradients
        padded = ~mask[:, :, None, None, None]
        cubes = self.through_trunk(cubes.masked_fill(padded, 0.0), mask)
        return self.states(enter(cubes, dtype).masked_fill(padded, 0.0), mask)

    def through_trunk(self, cubes: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute the cubes behind the trunk; without one, return the cubes.

        Arguments are those of `wherewhen.features.trunk.Trunk.forward`.
        """
        if self.trunk is None:
            return cubes
        return self.trunk(cubes, mask, self.execution.dtype(cubes.device))

    def _checked_mask(
        self, cubes: Tensor, channels: int, mask: Tensor | None, trusted: bool = False
    ) -> Tensor | None:
        """None where all frames are known to be valid."""
        expected = (*self.grid, channels) if self.trunk is None else self.takes
        if cubes.ndim != 5 or tuple(cubes.shape[2:]) != expected:
            raise ValueError(
                f"cubes have shape {tuple(cubes.shape)}, expected [N, T, H, W, D] with "
                f"H, W, D = {expected}: the network was built for another backbone"
            )
        if mask is None:
            return None
        if mask.shape != cubes.shape[:2] or mask.dtype != torch.bool:
            raise ValueError(
                f"mask is {mask.dtype} of shape {tuple(mask.shape)}, expected torch.bool of shape "
                f"{tuple(cubes.shape[:2])}"
            )
        if trusted:
            return mask
        if not bool(mask.any(1).all()):
            raise ValueError("mask: a clip has no valid frame")
        return None if bool(mask.all()) else mask

    def logits(self, left: Tensor, right: Tensor) -> Tensor:
        """Logits ``[N]`` that pairs of embeddings ``[N, E]`` show the same person (Eq 8)."""
        return self.similarity(left, right)

    def pairwise_logits(self, left: Tensor, right: Tensor) -> Tensor:
        """Logits ``[N, M]`` of all pairs of embeddings ``[N, E]`` and ``[M, E]`` (Eq 8)."""
        return self.similarity.pairwise(left, right)


def uniform_attention(inputs: Tensor, mask: Tensor | None) -> Tensor:
    """Weights ``[N, T, H, W]`` of heads without spatial attention, of inputs ``[N, T, H, W, C]``.

    Examples
    --------
    >>> uniform_attention(torch.ones(1, 2, 2, 2, 8), torch.tensor([[True, False]])).tolist()
    [[[[0.25, 0.25], [0.25, 0.25]], [[0.0, 0.0], [0.0, 0.0]]]]
    """
    shape = inputs.shape[:4]
    attention = inputs.new_full(shape, 1 / (shape[2] * shape[3]))
    return attention if mask is None else attention * mask[:, :, None, None]


def build_network(
    config: NetworkConfig, channels: int, grid: int | Size, trunk: Trunk | None = None
) -> SiameseNetwork:
    """Build the network of ``config.head`` with initial weights drawn from ``config.seed``.

    The weights do not depend on the number of threads; the global random state is not changed.

    Parameters
    ----------
    config : NetworkConfig
        The parts.
    channels : int
        Channels D of the backbone's cubes.
    grid : int or (int, int)
        Height and width of their grid in cells; one number for both.
    trunk : Trunk, optional
        The trained layers of the backbone, which become a part of the network.

    Raises
    ------
    ValueError
        If the network has a basis, which nothing trains, behind a trunk.
    """
    if trunk is not None and config.basis is not None:
        raise ValueError(
            f"basis: {config.basis} components of cubes that change in training, since a part of "
            "the backbone is trained: set basis to null, or train.backbone to frozen"
        )
    with torch.random.fork_rng(devices=[]), torch_threads(1):
        torch.manual_seed(config.seed)
        network = pkgutil.resolve_name(HEADS[config.head])(config, channels, grid)
    network.trunk = trunk
    return network
