"""S-LSTM: the rows of a picture as a sequence, read by a Siamese LSTM (Table VI, [33]).

R. R. Varior, B. Shuai, J. Lu, D. Xu, G. Wang: A Siamese Long Short-Term Memory Architecture for
Human Re-Identification. ECCV 2016. "Style", because its LOMO and Color Names features of a row are
replaced by the histograms of :mod:`wherewhen.baselines.colour_lbp`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from wherewhen.baselines.colour_lbp import check_stripes, stripe_histograms
from wherewhen.baselines.siamese import SiameseBaseline


class RowNetwork(nn.Module):
    """An LSTM from the top row to the bottom one; its states of all rows, frames' mean.

    Parameters
    ----------
    size
        Entries of a row's features.
    hidden
        Entries of the LSTM's state.
    """

    def __init__(self, size: int, hidden: int):
        super().__init__()
        self.lstm = nn.LSTM(size, hidden, batch_first=True)

    def forward(self, sequences: Tensor) -> Tensor:
        """Turn sequences of rows [B, T, R, F] into vectors [B, R hidden]."""
        count, steps = sequences.shape[:2]
        states, _ = self.lstm(sequences.flatten(0, 1))
        return states.reshape(count, steps, -1).mean(dim=1)


class SLSTM(SiameseBaseline):
    """A Siamese LSTM over the rows of pictures, averaged over frames.

    A picture's vector holds the LSTM's states after every row, so that it knows what was seen
    where. Pairs of pictures are learned from, as in the paper; a clip's vector is the mean over
    frames (Section V-F: "average pooling").

    Parameters
    ----------
    epochs
        100, seconds on a processor for 40 training persons: pictures are few numbers here. An
        epoch is one positive and one negative pair a person, so it cannot be set beside the
        paper's, which are over all pairs of pictures.
    rate
        Of RMSProp.
    stripes
        Rows of a picture, 8 pixels each of 128.
    bins, colour_spaces
        See :func:`wherewhen.baselines.colour_lbp.stripe_histograms`.
    hidden
        Entries of the LSTM's state.
    margin
        Of the contrastive loss.
    frames
        Consecutive frames of a training sequence, averaged; 1 as in the paper.
    batch
        Pairs a step, positive and negative ones in turns.
    seed, device, threads, clips_per_camera, progress
        See :class:`wherewhen.baselines.siamese.SiameseBaseline`.
    """

    def __init__(
        self,
        epochs: int = 100,
        rate: float = 1e-3,
        stripes: int = 16,
        bins: int = 16,
        colour_spaces: Sequence[str] = ("rgb", "hsv", "ycrcb"),
        hidden: int = 50,
        margin: float = 2.0,
        frames: int = 1,
        batch: int = 20,
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
        check_stripes(stripes, bins, colour_spaces)
        self.rate, self.hidden = rate, hidden
        self.rows = {"stripes": stripes, "bins": bins, "colour_spaces": tuple(colour_spaces)}

    def look(self, frames: np.ndarray) -> np.ndarray:
        """Return the rows of frames, [T, R, F].

        Square roots of histograms: their Euclidean distance is the Hellinger distance, and no bin
        drowns the others.
        """
        return np.sqrt(stripe_histograms(frames, **self.rows))

    def build(self, example: np.ndarray, persons: int) -> nn.Module:
        """Build the network for rows as in the example."""
        return RowNetwork(example.shape[2], self.hidden)

    def optimiser(self, network: nn.Module) -> torch.optim.Optimizer:
        """Return RMSProp."""
        return torch.optim.RMSprop(network.parameters(), lr=self.rate)
