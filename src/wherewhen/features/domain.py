"""How far footage is from that which a network learned from, by the backbone's activations.

A network and the calibration of its distances hold for footage like that of their training. The
measure compares the mean activation of every channel: it needs no labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm.auto import tqdm

from wherewhen.atomic import replacing
from wherewhen.features.pooling import mean_pooled
from wherewhen.tensor_headers import check_header
from wherewhen.tracklets.cubes import CubeReader

SILENT = 1e-3
"""Deviation of a channel, relative to the largest, below which it counts as so large."""


class CubeStatistics(NamedTuple):
    """Mean activations of tracklets: their mean and deviation over the tracklets of a data set.

    Attributes
    ----------
    mean, deviation : numpy.ndarray, float32 [D]
        Of each channel.
    tracklets : int
        How many they are of.

    Examples
    --------
    >>> import numpy as np
    >>> world = np.random.default_rng(0).normal(size=(400, 8))
    >>> known = CubeStatistics.of(world[:200])
    >>> known.difference(world[200:]) < 0.2, known.difference(world[200:] + 2) > 1.8
    (True, True)
    """

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]
    tracklets: int

    @classmethod
    def of(cls, means: ArrayLike) -> Self:
        """Compute the statistics of mean activations [N, D], N > 1.

        Raises
        ------
        ValueError
            If there are fewer than two tracklets.
        """
        means = np.asarray(means, dtype=np.float64)
        if means.ndim != 2 or len(means) < 2:
            raise ValueError(f"means have shape {means.shape}: expected [tracklets, channels], > 1")
        return cls(
            means.mean(axis=0).astype(np.float32),
            means.std(axis=0, ddof=1).astype(np.float32),
            len(means),
        )

    def difference(self, means: ArrayLike) -> float:
        """Compute how far other footage is, in deviations between tracklets of one data set.

        Parameters
        ----------
        means : array_like [N, D]
            Mean activations of the other footage's tracklets.

        Returns
        -------
        float
            The root mean square over the channels of the standardised difference of means (Cohen's
            d), without what so few tracklets differ by chance; about 0 for footage of one kind.

        Raises
        ------
        ValueError
            If the channels are others, or there is no tracklet.
        """
        means = np.asarray(means, dtype=np.float64)
        if means.ndim != 2 or not len(means) or means.shape[1] != len(self.mean):
            raise ValueError(
                f"means have shape {means.shape}: expected [tracklets, {len(self.mean)}]"
            )
        deviation = np.maximum(self.deviation, SILENT * self.deviation.max())
        squares = ((means.mean(axis=0) - self.mean) / deviation) ** 2
        by_chance = 1 / len(means) + 1 / self.tracklets
        return float(np.sqrt(max(0.0, squares.mean() - by_chance)))


def mean_activations(
    cubes: CubeReader, tracklets: Sequence[str], progress: bool = True
) -> NDArray[np.float32]:
    """Average the cubes of each tracklet over frames and grid.

    Parameters
    ----------
    cubes
        Where they are.
    tracklets
        N names.
    progress
        Show a progress bar (tracklets).

    Returns
    -------
    ndarray
        float32 [N, D].
    """
    shown: Iterable[str] = tqdm(tracklets, desc="statistics", unit="tracklet", disable=not progress)
    return np.stack([mean_pooled(cubes.read(cubes.whole(name))) for name in shown])


def write_statistics(statistics: CubeStatistics, path: Path) -> None:
    """Write statistics as a safetensors file, whole or not at all."""
    from safetensors.numpy import save_file

    with replacing(path) as partial:
        save_file(
            {name: np.asarray(value) for name, value in statistics._asdict().items()}, partial
        )


def read_statistics(path: Path) -> CubeStatistics:
    """Read the file of `write_statistics`.

    Raises
    ------
    ValueError
        If it is no such file.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        check_header(path)
        tensors = load_file(path)
        mean, deviation, number = (tensors[name] for name in CubeStatistics._fields)
        tracklets = int(number)
        if mean.ndim != 1 or mean.shape != deviation.shape or not len(mean) or tracklets < 2:
            raise ValueError(
                f"mean {list(mean.shape)} and deviation {list(deviation.shape)} of {tracklets} "
                "tracklets"
            )
        if not (
            np.isfinite(mean).all() and (deviation >= 0).all() and np.isfinite(deviation).all()
        ):
            raise ValueError("values that are no numbers, or negative deviations")
        return CubeStatistics(mean, deviation, tracklets)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} can't be read as statistics of cubes ({error}): make the folder again with "
            "kedro publish"
        ) from error
