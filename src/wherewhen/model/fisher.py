"""Fisher vectors of a trained network's frames (V-D, Eq 10).

The mixture is fitted after the network, to the frames' states of training persons.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wherewhen.model.config import FisherConfig
from wherewhen.model.encode import encode_frames
from wherewhen.model.fisher_vector import FisherVector
from wherewhen.model.siamese import SiameseNetwork
from wherewhen.tracklets.cubes import CubeReader
from wherewhen.tracklets.windows import Window


def fit_fisher(
    network: SiameseNetwork,
    reader: CubeReader,
    windows: Sequence[Window],
    config: FisherConfig,
    batch_size: int = 8,
    progress: bool = True,
    device: str | None = None,
) -> FisherVector:
    """Fit Fisher vectors to the frames' states of training persons.

    Parameters
    ----------
    network : SiameseNetwork
        A trained network.
    reader : CubeReader
        Reads the cubes.
    windows : sequence of Window
        Clips of training persons, of which so many are drawn as have ``config.frames`` frames.
    config : FisherConfig
        Of the Fisher vectors.
    batch_size, progress, device
        See `wherewhen.model.encode.encode_tracklets`.

    Returns
    -------
    FisherVector
        The ``pooling`` of `wherewhen.model.encode.encode_tracklets`.

    Raises
    ------
    ValueError
        If there are no windows, or fewer frames than components.
    """
    if not windows:
        raise ValueError("fisher: no clips of training persons to fit the mixture to")
    order = np.random.default_rng(config.seed).permutation(len(windows))
    lengths = np.array([window.length for window in windows])[order]
    enough = int(np.searchsorted(lengths.cumsum(), config.frames)) + 1
    drawn = [windows[index] for index in sorted(order[:enough])]
    encoder = FisherVector(
        config.components, config.dimension, config.improved, random_state=config.seed
    )
    return encoder.fit(encode_frames(network, reader, drawn, batch_size, progress, device))
