"""RCN: colour and optical flow through a convolutional, then a recurrent network (Table VII, [23]).

N. McLaughlin, J. Martinez del Rincon, P. Miller: Recurrent Convolutional Network for Video-Based
Person Re-Identification. CVPR 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from wherewhen.baselines.pixels import grey, to_size
from wherewhen.baselines.siamese import SiameseBaseline

SIZE = (48, 64)
"""Width and height to which frames are resized."""

CROP = (40, 56)
"""Width and height of the network's input: a random crop in training, the centre in the test."""

FLOW_SPAN = 8.0
"""Flow in pixels of `SIZE` that becomes 1; larger values are clipped."""


def optical_flow(pictures: np.ndarray) -> np.ndarray:
    """Compute the optical flow of pictures, uint8 [T, H, W], by Lucas and Kanade's method.

    It is float32 [T, 2, H, W]: to the right and down until the next picture, in pixels; 0 where
    it is not found. The last picture has the flow of the one before, a single one has none.
    """
    count, height, width = pictures.shape
    flow = np.zeros((count, 2, height, width), dtype=np.float32)
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=2)
    places = grid.reshape(-1, 1, 2).astype(np.float32)
    for index, (before, after) in enumerate(pairwise(pictures)):
        moved, found, _ = cv2.calcOpticalFlowPyrLK(
            before,
            after,
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
    """Compute RCN's input, float32 [T, 5, 64, 48], of frames, uint8 [T, H, W, 3] in RGB.

    The channels are Y, U and V, each with mean 0 and deviation 1 over a frame, and the flow to the
    right and down, in [-1, 1].
    """
    frames = to_size(frames, SIZE)
    colours = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2YUV) for frame in frames])
    colours = colours.transpose(0, 3, 1, 2).astype(np.float32)
    colours -= colours.mean(axis=(2, 3), keepdims=True)
    # at least 1: the rounding of a uniform channel is not amplified
    colours /= np.maximum(colours.std(axis=(2, 3), keepdims=True), 1.0)
    flow = np.clip(optical_flow(grey(frames)) / FLOW_SPAN, -1, 1)
    return np.concatenate([colours, flow], axis=1)


class RCNNetwork(nn.Module):
    """Three convolutions, a linear layer, a recurrent layer and the mean over time.

    Parameters
    ----------
    size : (int, int)
        Height and width of the input.
    persons : int
        Classes of the classifier.
    features : int
        Entries of a vector.
    dropout : float
        Probability of dropout of the convolutions' output.

    See Also
    --------
    RCN : Trains it.

    Examples
    --------
    >>> network = RCNNetwork((56, 40), persons=3, features=128, dropout=0.6)
    >>> network(torch.zeros(2, 4, 5, 56, 40)).shape
    torch.Size([2, 128])
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
        """Vectors [B, features] of sequences [B, T, 5, H, W].

        o_t = W_i f_t + W_s r_(t-1), r_t = tanh(o_t); the mean is over o_t, which `torch.nn.RNN`
        does not return.
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


@dataclass(eq=False, kw_only=True)
class RCN(SiameseBaseline):
    """The recurrent convolutional network of McLaughlin et al., written from the paper.

    The loss of a pair is the contrastive loss and, for both sides, the cross-entropy of a
    classifier of the training persons. Chosen here, because the paper leaves it open or it is not
    known: the dropout, the optical flow (Lucas-Kanade by OpenCV at every pixel) and its scale
    (`FLOW_SPAN`), the convolutions' padding (to equal size) and the initial weights (torch's).
    Training takes about 600 kB of memory a clip of 20 frames.

    Parameters
    ----------
    epochs : int
        20 take minutes on one core for 40 training persons (0.1 s a step, two steps a person and
        epoch); the paper: 500.
    momentum : float
        Of stochastic gradient descent. The paper names none; without it 20 epochs teach nothing
        (docs/reference/baselines.md).
    features : int
        Entries of a vector, as in the paper.
    dropout : float
        Probability of dropout of the convolutions' output.
    rate, frames, margin, batch, seed, device, threads, clips_per_camera, progress
        See `wherewhen.baselines.siamese.SiameseBaseline`; the first four as in the paper.

    See Also
    --------
    wherewhen.baselines.s_lstm.SLSTM : A recurrent network over the rows of a picture.

    Examples
    --------
    >>> RCN().look(np.zeros((4, 128, 64, 3), np.uint8)).shape
    (4, 5, 64, 48)
    """

    epochs: int = 20
    frames: int = 16
    batch: int = 1
    momentum: float = 0.9
    features: int = 128
    dropout: float = 0.6

    def look(self, frames: np.ndarray) -> np.ndarray:
        """Return colours and flow of frames."""
        return colour_and_flow(frames)

    def view(self, sequence: np.ndarray, generator: np.random.Generator | None) -> np.ndarray:
        """Crop, and mirror with probability 1/2, all frames of a sequence alike."""
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
        """Build the network for the size of the example."""
        return RCNNetwork(example.shape[2:], persons, self.features, self.dropout)

    def optimiser(self, network: nn.Module) -> torch.optim.Optimizer:
        """Return stochastic gradient descent."""
        return torch.optim.SGD(network.parameters(), lr=self.rate, momentum=self.momentum)

    def loss(self, left: Tensor, right: Tensor, same: Tensor, who: Tensor) -> Tensor:
        """Contrastive loss and the cross-entropies of both sides."""
        identity = sum(
            nn.functional.cross_entropy(self.network.classifier(side), persons)
            for side, persons in zip((left, right), who, strict=True)
        )
        return super().loss(left, right, same, who) + identity
