"""Reporting: when the network looks, the weights of a clip's frames above pictures (Fig 6)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from wherewhen.reporting.figures.attention import draw_weights, shown_frames
from wherewhen.reporting.figures.canvas import (
    SMALL,
    TEXT,
    TITLE,
    new_figure,
    place,
    room_for,
    show_picture,
    write,
)
from wherewhen.reporting.figures.clips import check_clip, check_sums
from wherewhen.reporting.style import BLUE, MUTED, ORANGE

# inches
_COLUMN, _GAP, _APART = 0.62, 0.05, 0.75
_LEFT, _MARGIN, _TITLE, _LABEL = 1.0, 0.12, 0.62, 0.24
_BARS, _AXIS, _BELOW = 0.95, 0.36, 0.42


@dataclass(frozen=True, eq=False)
class WeightedClip:
    """One tracklet's clip and the weights of its frames in the temporal pooling.

    Parameters
    ----------
    label : str
        What the clip is called in the figure.
    frames : numpy.ndarray
        uint8 [n, H, W, 3].
    frame_weights : numpy.ndarray
        [n], alpha of Eq 6; they sum to 1.
    positions : numpy.ndarray
        int [n], positions of the frames in the tracklet.

    Raises
    ------
    ValueError
        Names the clip and what does not fit together.
    """

    label: str
    frames: np.ndarray
    frame_weights: np.ndarray
    positions: np.ndarray

    def __post_init__(self) -> None:
        name = f"weighted clip {self.label!r}"
        of_frames = {"frame_weights": self.frame_weights, "positions": self.positions}
        check_clip(name, self.frames, of_frames)
        check_sums(name, "frame weights", np.array([self.frame_weights.sum()]))

    @property
    def relative(self) -> np.ndarray:
        """Weights over the uniform weight [n]: 1 where no frame is preferred."""
        return np.asarray(self.frame_weights, dtype=np.float64) * len(self.frames)


def frame_weights_over_time(
    clips: Sequence[WeightedClip],
    *,
    shown: int = 10,
    extremes: int = 2,
    title: str | None = None,
    facts: str = "",
) -> Figure:
    """Weights of a clip's frames above pictures of it; beside them the heaviest and the lightest.

    Parameters
    ----------
    clips : sequence of WeightedClip
        Drawn from top to bottom, on one scale.
    shown : int
        Frames pictured of each clip at most, evenly spaced; each stands under its dark bar.
    extremes : int
        Heaviest and lightest frames pictured besides, with their weights; a short clip has fewer.
    title : str, optional
        Title of the figure.
    facts : str
        What stands under the title: how the clips were chosen.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Without clips, for ``shown`` below 1 or ``extremes`` below 0.

    Notes
    -----
    As the paper's Fig 6. Bars are weights over the uniform weight 1/T, so that clips of different
    lengths compare.
    """
    if not clips:
        raise ValueError("clips: expected at least one WeightedClip, got none.")
    if shown < 1 or extremes < 0:
        raise ValueError(
            f"shown is {shown} and extremes {extremes}: expected at least 1 and at least 0 frames."
        )
    columns = max(min(shown, len(clip.frames)) for clip in clips)
    tall = max(clip.frames.shape[1] / clip.frames.shape[2] for clip in clips) * _COLUMN
    highest = max(1.0, *(float(clip.relative.max()) for clip in clips))
    beside = _LEFT + columns * (_COLUMN + _GAP) + _APART
    width = beside + 2 * extremes * (_COLUMN + _GAP) + (2 * _GAP if extremes else 0) + _MARGIN
    width = max(width, room_for(title) + 2 * _MARGIN, room_for(facts, TEXT) + 2 * _MARGIN)
    top = (_TITLE if title else _MARGIN) + _MARGIN
    height = _LABEL + _BARS + _AXIS + tall + _BELOW
    figure = new_figure(width, top + len(clips) * height, layout=None)
    if title:
        write(figure, _MARGIN, _MARGIN, title, fontsize=TITLE, fontweight="bold")
        write(figure, _MARGIN, _MARGIN + 0.25, facts, color=MUTED)
    for clip in clips:
        _draw_clip(figure, clip, shown, top, tall, highest)
        _draw_extremes(figure, clip, extremes, beside, top, tall)
        top += height
    return figure


def _draw_clip(
    figure: Figure, clip: WeightedClip, shown: int, top: float, tall: float, highest: float
) -> None:
    indices = shown_frames(len(clip.frames), shown)
    write(figure, _LEFT, top, clip.label, fontweight="bold")
    top += _LABEL
    bars = place(figure, _LEFT, top, len(indices) * (_COLUMN + _GAP) - _GAP, _BARS)
    draw_weights(bars, clip.relative, 1.0, clip.positions, indices, highest)
    middle = top + _BARS / 2
    write(figure, _LEFT - 0.3, middle, "weight ×\nframes", color=MUTED, ha="right", va="center")
    top += _BARS + _AXIS
    for column, index in enumerate(indices):
        left = _LEFT + column * (_COLUMN + _GAP)
        show_picture(place(figure, left, top, _COLUMN, tall), clip.frames[index])


def _draw_extremes(
    figure: Figure, clip: WeightedClip, extremes: int, left: float, top: float, tall: float
) -> None:
    count = min(extremes, len(clip.frames) // 2)
    order = np.argsort(-clip.relative, kind="stable")
    top += _LABEL + _BARS + _AXIS
    for name, chosen, colour in (
        ("heaviest", order[:count], BLUE),
        ("lightest", order[len(order) - count :][::-1], ORANGE),
    ):
        if count:
            middle = left + (count * (_COLUMN + _GAP) - _GAP) / 2
            write(figure, middle, top - 0.06, name, color=MUTED, va="bottom", ha="center")
        for index in chosen:
            axes = place(figure, left, top, _COLUMN, tall)
            show_picture(axes, clip.frames[index], colour)
            words = f"{clip.positions[index]}: {clip.relative[index]:.2f}×"
            axes.set_xlabel(words, fontsize=SMALL, color=MUTED, labelpad=2)
            left += _COLUMN + _GAP
        left += 2 * _GAP
