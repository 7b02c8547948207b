"""FV2D: Fisher vectors of the pixels of single images.

LDFV of Ma et al., "Local Descriptors Encoded by Fisher Vectors for Person Re-identification", ECCV
Workshops 2012, which Section V-E of the paper calls FV2D: a pixel is described by its position, its
colour and the colour's first and second derivatives; an image is cut into a grid, and each cell is
encoded by a mixture of its own, channel by channel of HSV. The vectors of a clip's images are
averaged.

Deviations: the original adds other cues (SDALF's) to its vector and learns a metric; neither is
done here. Not all pixels and images are used. The grid of 2 x 6 cells is this project's choice.
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
    grid : (int, int)
        Cells along width and height.
    stride : int
        Distance between the pixels that are used, along width and height.
    images : int
        The most images of a clip, evenly spaced.
    size, components, samples, fit_clips, improved, seed
        See `wherewhen.baselines.fisher_vectors.FisherBaseline`.

    See Also
    --------
    wherewhen.baselines.stfv3d.STFV3D : Also the time and its derivatives.

    Examples
    --------
    >>> (regions,) = FV2D().descriptors(np.zeros((1, 128, 64, 3), np.uint8))
    >>> len(regions), regions[0].shape  # 2 x 6 cells, 3 channels
    (36, (176, 7))
    """

    grid: tuple[int, int] = (2, 6)
    stride: int = 2
    images: int = 8

    def descriptors(self, frames: np.ndarray) -> list[list[np.ndarray]]:
        """Position, colour and its derivatives of pixels, by image and region: float32 [N, 7].

        Regions are cells by row, channels fastest. The entries are x and y (0 to 1), the channel,
        and its derivatives along x, y, x twice, y twice.
        """
        spread = np.unique(np.linspace(0, len(frames) - 1, self.images).round().astype(int))
        return [self._image(channels) for channels in hsv(frames[spread])]

    def _image(self, channels: np.ndarray) -> list[np.ndarray]:
        height, width = channels.shape[:2]
        y, x = np.meshgrid(place(height), place(width), indexing="ij")
        derivatives = [
            derivative(channels, axis)
            for derivative in (first_derivative, second_derivative)
            for axis in (1, 0)
        ]
        by_channel = [
            np.stack([x, y, *(each[..., channel] for each in (channels, *derivatives))], axis=-1)
            for channel in range(3)
        ]
        columns, rows = self.grid
        return [
            values[top : bottom : self.stride, left : right : self.stride].reshape(-1, 7)
            for top, bottom in intervals(height, rows)
            for left, right in intervals(width, columns)
            for values in by_channel
        ]
