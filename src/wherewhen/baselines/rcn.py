"""RCN: colour and optical flow through a convolutional, then a recurrent network (Table VII, [23]).

N. McLaughlin, J. Martinez del Rincon, P. Miller: Recurrent Convolutional Network for Video-Based
Person Re-Identification. CVPR 2016.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from wherewhen.baselines.pixels import grey, to_size
from wherewhen.baselines.siamese import SiameseBaseline

SIZE = (48, 64)
"""Width and height to which frames are brought."""

CROP = (40, 56)
"""Width and height of what the network sees: a drawn place in training, the middle in the test."""

FLOW_SPAN = 8.0
"""Pixels of `SIZE` that a flow of 1 stands for; what moves further counts as this far."""


def optical_flow(pictures: np.ndarray) -> np.ndarray:
    """Find how far each pixel moves until the next frame, by Lucas and Kanade.

    Parameters
    ----------
    pictures
        uint8, [T, H, W], grey.

    Returns
    -------
    numpy.ndarray
        float32, [T, 2, H, W]: to the right and down, in pixels; 0 where it is not found. The last
        frame repeats the one before; a single frame does not move.
    """
    import cv2

    count, height, width = pictures.shape
    flow = np.zeros((count, 2, height, width), dtype=np.float32)
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=2)
    places = grid.reshape(-1, 1, 2).astype(np.float32)
    for index in range(count - 1):
        moved, found, _ = cv2.calcOpticalFlowPyrLK(
            pictures[index],
            pictures[index + 1],
            places,
            None,
            winSize=(9, 9),
            maxLevel=1,
            criteria=(cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 5, 0.03),
        )
        by = np.where(found[:, None], moved - places, 0).reshape(height, width, 2)
        flow[index] = by.transpose(2, 0, 1)
    if count > 1:
        flow[-1] = flow[-2]
    return flow


def colour_and_flow(frames: np.ndarray) -> np.ndarray:
    """Turn frames into the five channels that RCN sees.

    Parameters
    ----------
    frames
        uint8, [T, H, W, 3], RGB, any size.

    Returns
    -------
    numpy.ndarray
        float32, [T, 5, 64, 48]: Y, U and V, each with mean 0 and deviation 1 over a frame, then
        the flow to the right and down, between -1 and 1.
    """
    import cv2

    frames = to_size(frames, SIZE)
    colours = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2YUV) for frame in frames])
    colours = colours.transpose(0, 3, 1, 2).astype(np.float32)
    colours -= colours.mean(axis=(2, 3), keepdims=True)
    colours /= np.maximum(colours.std(axis=(2, 3), keepdims=True), 1.0)  # 1: a plain channel stays
    flow = np.clip(optical_flow(grey(frames)) / FLOW_SPAN, -1, 1)
    return np.concatenate([colours, flow], axis=1)


class RCNNetwork(nn.Module):
    """Three convolutions, a full connection, a recurrent layer and the mean over time.

    Parameters
    ----------
    size
        Height and width of the input.
    persons
        How many persons the classifier tells apart.
    features
        Entries of a vector.
    dropout
        Share of a frame's features that training drops.
    """

    def __init__(self, size: tuple[int, int], persons: int, features: int, dropout: float):
        super().__init__()
        layers: list[nn.Module] = []
        for channels, filters in ((5, 16), (16, 32), (32, 32)):
            layers += [nn.Conv2d(channels, filters, 5, padding=2), nn.Tanh(), nn.MaxPool2d(2)]
        grid = (size[0] // 8) * (size[1] // 8)
        self.spatial = nn.Sequential(
            *layers, nn.Flatten(), nn.Dropout(dropout), nn.Linear(32 * grid, features)
        )
        self.input = nn.Linear(features, features)
        self.recurrent = nn.Linear(features, features, bias=False)
        self.classifier = nn.Linear(features, persons)

    def forward(self, sequences: Tensor) -> Tensor:
        """Turn sequences [B, T, 5, H, W] into vectors [B, features].

        The pooled output is the recurrent layer's before its tanh, which `torch.nn.RNN` does not
        give away: o_t = W_i f_t + W_s r_(t-1), r_t = tanh(o_t).
        """
        count, steps = sequences.shape[:2]
        pictures = sequences.flatten(0, 1).contiguous(memory_format=torch.channels_last)  # faster
        seen = self.input(self.spatial(pictures).view(count, steps, -1))
        state, total = seen.new_zeros(seen[:, 0].shape), 0.0
        for now in seen.unbind(1):
            output = now + self.recurrent(state)
            total = total + output
            state = torch.tanh(output)
        return total / steps


class RCN(SiameseBaseline):
    """The recurrent convolutional network of McLaughlin et al., written from the paper.

    Each pair adds the contrastive loss and, for both sides, the cross-entropy of a classifier of
    the training persons. What the paper leaves open, or is not known here to say, is chosen: the
    rate of dropout, how flow is scaled (`FLOW_SPAN`) and found (Lucas-Kanade by OpenCV at every
    pixel), padding of convolutions (to equal size) and the initial weights (those of torch).

    Memory for training: about 600 kB a clip of 20 frames.

    Parameters
    ----------
    epochs
        20, so that a set of 40 training persons takes minutes on one core (0.1 s a step, two steps
        a person and epoch); the paper: 500.
    rate
        Of stochastic gradient descent, as in the paper.
    momentum
        Of the same; the paper names none. Without it 20 epochs teach nothing
        (docs/reference/baselines.md).
    frames
        T of a training sequence, as in the paper.
    margin
        Of the contrastive loss, as in the paper.
    features
        Entries of a vector, as in the paper.
    dropout
        Of the convolutions' output, in training.
    batch
        Pairs a step; 1 as in the paper, positive and negative ones in turns.
    seed, device, threads, clips_per_camera, progress
        See :class:`wherewhen.baselines.siamese.SiameseBaseline`.
    """

    def __init__(
        self,
        epochs: int = 20,
        rate: float = 1e-3,
        momentum: float = 0.9,
        frames: int = 16,
        margin: float = 2.0,
        features: int = 128,
        dropout: float = 0.6,
        batch: int = 1,
        seed: int = 0,
        device: str = "cpu",
        threads: int = 2,
        clips_per_camera: int = 4,
        progress: bool = True,
    ):
        super().__init__(
            epochs=epochs,
            frames=frames,
            margin=margin,
            batch=batch,
            seed=seed,
            device=device,
            threads=threads,
            clips_per_camera=clips_per_camera,
            progress=progress,
        )
        self.rate, self.momentum = rate, momentum
        self.features, self.dropout = features, dropout

    def look(self, frames: np.ndarray) -> np.ndarray:
        """Return colours and flow of frames."""
        return colour_and_flow(frames)

    def view(self, sequence: np.ndarray, generator: np.random.Generator | None) -> np.ndarray:
        """Crop, and mirror half of the time, all frames of a sequence alike."""
        width, height = CROP
        margins = np.array([SIZE[1] - height, SIZE[0] - width])
        top, left = margins // 2 if generator is None else generator.integers(0, margins + 1)
        cropped = sequence[:, :, top : top + height, left : left + width]
        if generator is None or generator.random() < 0.5:
            return cropped
        mirrored = cropped[..., ::-1].copy()
        mirrored[:, 3] *= -1  # what moved to the right now moves to the left
        return mirrored

    def build(self, example: np.ndarray, persons: int) -> nn.Module:
        """Build the network for as many training persons."""
        return RCNNetwork(example.shape[2:], persons, self.features, self.dropout)

    def optimiser(self, network: nn.Module) -> torch.optim.Optimizer:
        """Return stochastic gradient descent."""
        return torch.optim.SGD(network.parameters(), lr=self.rate, momentum=self.momentum)

    def loss(self, left: Tensor, right: Tensor, same: Tensor, who: Tensor) -> Tensor:
        """Add the two sides' identity losses to the contrastive one."""
        named = nn.functional.cross_entropy
        identity = sum(
            named(self.network.classifier(side), persons)
            for side, persons in zip((left, right), who, strict=True)
        )
        return super().loss(left, right, same, who) + identity
