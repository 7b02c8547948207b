"""A video of two people who pass each other, and a detector that sees them."""

from pathlib import Path

import numpy as np


def film_walkers(path: Path, pictures: int, rate: int = 10) -> Path:
    """Write a video without loss, picture n of shade 20 + 5 n."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(pictures):
            grey = np.full((48, 64, 3), 20 + 5 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode())
    return path


def number_of(picture) -> int:
    """Return which picture of a video by `film_walkers` it is."""
    return round((np.array(picture).mean() - 20) / 5)


def see_walkers(picture) -> np.ndarray:
    """Return two people who pass each other on two heights, and one who is hardly seen."""
    n = number_of(picture)
    right, left = [2 + 2 * n, 2, 12 + 2 * n, 22, 0.9], [50 - 2 * n, 25, 60 - 2 * n, 45, 0.8]
    return np.array([right, left, [30.0, 10, 40, 30, 0.05]])
