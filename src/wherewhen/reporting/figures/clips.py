"""Reporting: a clip with the weights of its frames, and how the weights are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wherewhen.reporting.figures.canvas import SMALL, tidy
from wherewhen.reporting.style import BLUE, INK, MUTED, SKY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TOLERANCE = 1e-2  # of a sum that must be 1, wide enough for float16


@dataclass(frozen=True, eq=False)
class WeightedClip:
    """A clip of a tracklet and the weights of its frames in the temporal pooling.

    Parameters
    ----------
    label : str
        Name of the clip in the figure.
    frames : numpy.ndarray
        uint8 [n, H, W, 3].
    frame_weights : numpy.ndarray
        [n], alpha of Eq 6; they sum to 1.
    positions : numpy.ndarray, optional
        int [n], positions of the frames in the tracklet; 0 ... n-1 by default.

    Raises
    ------
    ValueError
        Names the clip, the array and its shape when arrays do not fit together.

    See Also
    --------
    frame_weights_over_time : Draws some.
    AttentionStrip : Has attention maps, too.

    Examples
    --------
    >>> import numpy as np
    >>> clip = WeightedClip(
    ...     "cam_a/person_0001",
    ...     frames=np.zeros((2, 128, 64, 3), np.uint8),
    ...     frame_weights=np.array([0.25, 0.75]),
    ... )
    >>> clip.relative.tolist()
    [0.5, 1.5]
    """

    label: str
    frames: np.ndarray
    frame_weights: np.ndarray
    positions: np.ndarray | None = None

    def __post_init__(self) -> None:
        frames = self.frames
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3:
            raise ValueError(
                f"{self._name}: frames must be uint8 [n, H, W, 3], "
                f"got {frames.dtype} {list(frames.shape)}."
            )
        if len(frames) == 0:
            raise ValueError(f"{self._name}: expected at least one frame, got none.")
        if self.positions is None:
            object.__setattr__(self, "positions", np.arange(len(frames)))
        self._require_lengths("frame_weights", "positions")
        self._require_sums("frame weights", self.frame_weights.sum())

    @property
    def relative(self) -> np.ndarray:
        """Weights over the uniform weight 1/n [n]: 1 where no frame is preferred."""
        return np.asarray(self.frame_weights, dtype=np.float64) * len(self.frames)

    @property
    def _name(self) -> str:
        return f"clip {self.label!r}"

    def _require_lengths(self, *fields: str) -> None:
        for field in fields:
            if (length := len(getattr(self, field))) != len(self.frames):
                raise ValueError(
                    f"{self._name}: {field} has {length} entries for {len(self.frames)} frames; "
                    "expected one a frame."
                )

    def _require_sums(self, what: str, sums: np.ndarray) -> None:
        if not np.allclose(sums, 1, atol=_TOLERANCE):
            worst = np.ravel(sums)[np.argmax(np.abs(sums - 1))]
            raise ValueError(f"{self._name}: {what} must sum to 1, found a sum of {worst:.3g}.")


def draw_weights(axes: Axes, clip: WeightedClip, shown: np.ndarray, highest: float) -> None:
    """Draw the weights of a clip's frames as bars, relative to the uniform weight.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    clip : WeightedClip
        Whose weights.
    shown : numpy.ndarray
        int, the frames that are pictured: their bars are dark and numbered.
    highest : float
        What the axis must have room for.
    """
    from matplotlib.ticker import MaxNLocator

    count = len(clip.frames)
    colours = np.full(count, SKY, dtype=object)
    colours[shown] = BLUE
    axes.bar(np.arange(count), clip.relative, width=0.8, color=list(colours))
    axes.axhline(1, color=INK, linewidth=0.8, linestyle="--")
    axes.text(count - 0.4, 1, "uniform", fontsize=SMALL, color=MUTED, va="center")
    axes.set_xlim(-0.5, count - 0.5)
    axes.set_ylim(0, 1.15 * highest)
    axes.set_xticks(shown, [str(clip.positions[index]) for index in shown])
    tidy(axes, grid=False)
    axes.tick_params(labelsize=SMALL)
    axes.set_xlabel("position in the tracklet", fontsize=SMALL, color=MUTED, labelpad=1)
    axes.yaxis.set_major_locator(MaxNLocator(2, integer=True))
