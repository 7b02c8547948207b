"""FV2D: Fisher vectors of the pixels of single images.

LDFV of Ma et al., "Local Descriptors Encoded by Fisher Vectors for Person Re-identification", ECCV
Workshops 2012, which Section V-E of the paper calls FV2D: a pixel is described by where it is, by
its colour and by the colour's first and second derivatives; a picture is cut into a grid, and every
cell encoded by a mixture of its own, channel by channel of HSV. The clip's images are independent;
their vectors are averaged.

Deviations. The original adds other cues (SDALF's) to its vector and learns a metric: neither is
done here. Not all pixels and images are taken. A grid of 2 x 6 cells is this project's choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wherewhen.baselines.fisher_vectors import FisherBaseline
from wherewhen.baselines.pixels import first_derivative, hsv, intervals, place, second_derivative


@dataclass(eq=False, kw_only=True)
class FV2D(FisherBaseline):
    """Fisher vectors of pixels, image by image.

    Parameters
    ----------
    grid
        Cells along width and height.
    stride
        Every which pixel is taken along width and height.
    images
        At most so many images of a clip are looked at, evenly spread.
    size, components, samples, fit_clips, improved, seed
        As of `wherewhen.baselines.fisher_vectors.FisherBaseline`.
    """

    grid: tuple[int, int] = (2, 6)
    stride: int = 2
    images: int = 8

    def descriptors(self, frames: np.ndarray) -> list[list[np.ndarray]]:
        """Place, colour and its derivatives of pixels, by cell and channel.

        Parameters
        ----------
        frames
            uint8, [T, height, width, 3], RGB.

        Returns
        -------
        list of list of numpy.ndarray
            By image and region (cells by row, channels fastest): float32, [N, 7], namely x and y
            (0 to 1), the channel, and its derivatives along x, y, x twice, y twice.
        """
        spread = np.unique(np.linspace(0, len(frames) - 1, self.images).round().astype(int))
        return [self._image(channels) for channels in hsv(frames[spread])]

    def _image(self, channels: np.ndarray) -> list[np.ndarray]:
        height, width = channels.shape[:2]
        y, x = np.meshgrid(place(height), place(width), indexing="ij")
        derived = [
            channels,
            first_derivative(channels, 1),
            first_derivative(channels, 0),
            second_derivative(channels, 1),
            second_derivative(channels, 0),
        ]
        columns, rows = self.grid
        of_channels = [
            np.stack([x, y, *(values[..., channel] for values in derived)], axis=-1)
            for channel in range(3)
        ]
        return [
            values[rim : stop : self.stride, left : right : self.stride].reshape(-1, 7)
            for rim, stop in intervals(height, rows)
            for left, right in intervals(width, columns)
            for values in of_channels
        ]
