"""S-LSTM: the rows of a picture as a sequence, read by a Siamese LSTM (Table VI, [33]).

R. R. Varior, B. Shuai, J. Lu, D. Xu, G. Wang: A Siamese Long Short-Term Memory Architecture for
Human Re-Identification. ECCV 2016. LOMO and Color Names, its features of a row, are replaced by the
histograms of `wherewhen.baselines.colour_lbp`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from wherewhen.baselines.colour_lbp import ColourLBP
from wherewhen.baselines.siamese import SiameseBaseline


class RowNetwork(nn.Module):
    """An LSTM over the rows of a picture, top to bottom; its states of all rows, mean over frames.

    Parameters
    ----------
    size : int
        Features F of a row.
    hidden : int
        Units of the LSTM.

    See Also
    --------
    SLSTM : Trains it.

    Examples
    --------
    >>> RowNetwork(size=5, hidden=4)(torch.zeros(2, 3, 6, 5)).shape
    torch.Size([2, 24])
    """

    def __init__(self, size: int, hidden: int):
        super().__init__()
        self.lstm = nn.LSTM(size, hidden, batch_first=True)

    def forward(self, sequences: Tensor) -> Tensor:
        """Vectors [B, R hidden] of sequences of frames of rows [B, T, R, F]."""
        count, steps = sequences.shape[:2]
        states, _ = self.lstm(sequences.flatten(0, 1))
        return states.reshape(count, steps, -1).mean(dim=1)


@dataclass(eq=False, kw_only=True)
class SLSTM(SiameseBaseline):
    """A Siamese LSTM over the rows of pictures, averaged over frames.

    The vector of a picture has the LSTM's states after each row, so that positions are kept. It
    learns from pairs of pictures, as in the paper; a clip's vector is the mean over its frames
    (Section V-F: "average pooling").

    Parameters
    ----------
    epochs : int
        100 take seconds on a CPU for 40 training persons. An epoch is one positive and one negative
        pair a person, unlike the paper's, which are all pairs of pictures.
    frames : int
        Consecutive frames of a training sequence, averaged; 1 as in the paper.
    stripes : int
        Rows of a picture, 8 of 128 pixels each.
    bins, colour_spaces
        See `wherewhen.baselines.colour_lbp.ColourLBP`.
    hidden : int
        Units of the LSTM.
    rate, margin, batch, seed, device, threads, clips_per_camera, progress
        See `wherewhen.baselines.siamese.SiameseBaseline`; the optimiser is RMSProp.

    See Also
    --------
    wherewhen.baselines.rcn.RCN : A recurrent network over frames.

    Examples
    --------
    >>> SLSTM().look(np.zeros((4, 128, 64, 3), np.uint8)).shape
    (4, 16, 203)
    """

    epochs: int = 100
    frames: int = 1
    batch: int = 20
    stripes: int = 16
    bins: int = 16
    colour_spaces: Sequence[str] = ("rgb", "hsv", "ycrcb")
    hidden: int = 50

    def __post_init__(self) -> None:
        super().__post_init__()
        self.rows = ColourLBP(
            stripes=self.stripes, bins=self.bins, colour_spaces=self.colour_spaces
        )

    def look(self, frames: np.ndarray) -> np.ndarray:
        """Square roots of the rows' histograms, [T, R, F].

        Their Euclidean distance is the Hellinger distance, in which no bin dominates.
        """
        return np.sqrt(self.rows.histograms(frames))

    def build(self, example: np.ndarray, persons: int) -> nn.Module:
        """Build the network for rows as in the example."""
        return RowNetwork(example.shape[2], self.hidden)

    def optimiser(self, network: nn.Module) -> torch.optim.Optimizer:
        """Return RMSProp."""
        return torch.optim.RMSprop(network.parameters(), lr=self.rate)
