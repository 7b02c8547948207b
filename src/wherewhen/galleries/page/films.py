"""Pictures for the page: thumbnails, and films, which are frames side by side in one JPEG.

The page shows one frame of a film after the other, so that a tracklet plays without a video codec.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from wherewhen.recogniser.frames import Frame
from wherewhen.reporting.figures.attention import heat_picture, heat_scale
from wherewhen.reporting.figures.canvas import shown_frames
from wherewhen.reporting.style import BLUE, GRID, MUTED, SKY

WIDTH, HEIGHT = 96, 192
"""Pixels of a frame in a film."""

BARS = 32
"""Pixels of the bars of frame weights under it."""

LONGEST = 60
"""Frames of a film at most, evenly spread."""

HIGHEST = 2.0
"""Weight over the uniform one that the bars have room for; a heavier frame makes room."""

_BACKGROUND = "#ebebeb"
_QUALITY = 85


def in_film(count: int) -> list[int]:
    """Choose the frames of a tracklet of `count` frames that a film shows."""
    return shown_frames(count, LONGEST).tolist()


def film(frames: Sequence[Frame | None]) -> bytes:
    """Put frames side by side, JPEG of [HEIGHT, n * WIDTH]; a frame that is gone is blank."""
    return _jpeg(np.concatenate([_tile(frame) for frame in frames], axis=1))


def attention_film(
    frames: Sequence[Frame], relative_attention: np.ndarray, frame_weights: np.ndarray
) -> bytes:
    """Put frames with attention side by side, each over the bars of all frame weights.

    Parameters
    ----------
    frames : sequence of numpy.ndarray
        T frames.
    relative_attention : numpy.ndarray
        [T, H, W], attention over uniform attention; the scale of colours is the one of all figures.
    frame_weights : numpy.ndarray
        [T], summing to 1. The bar of the frame itself is dark; a line marks the uniform weight.

    Returns
    -------
    bytes
        JPEG of [HEIGHT + BARS, n * WIDTH], n the length of `in_film`.
    """
    relative = np.asarray(frame_weights, dtype=np.float64) * len(frame_weights)
    tiles = [
        np.concatenate(
            [_tile(heat_picture(frames[place], relative_attention[place])), _bars(relative, place)]
        )
        for place in in_film(len(frames))
    ]
    return _jpeg(np.concatenate(tiles, axis=1))


def thumbnail(frame: Frame | None) -> bytes:
    """Return a frame as a JPEG of half a film's size."""
    small = Image.fromarray(_tile(frame)).resize((WIDTH // 2, HEIGHT // 2))
    return _jpeg(np.asarray(small))


def scale() -> bytes:
    """Return the colours of attention as a JPEG."""
    return _jpeg(heat_scale(180, 12))


def _tile(frame: Frame | None) -> np.ndarray:
    """Fit a frame into the middle of a tile, uint8 [HEIGHT, WIDTH, 3]."""
    tile = Image.new("RGB", (WIDTH, HEIGHT), _BACKGROUND)
    if frame is not None:
        height, width = frame.shape[:2]
        factor = min(WIDTH / width, HEIGHT / height)
        size = max(1, round(width * factor)), max(1, round(height * factor))
        picture = Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC)
        tile.paste(picture, ((WIDTH - size[0]) // 2, (HEIGHT - size[1]) // 2))
    return np.asarray(tile)


def _bars(relative: np.ndarray, current: int) -> np.ndarray:
    """Draw weights over the uniform weight as bars from left to right, uint8 [BARS, WIDTH, 3]."""
    highest = max(HIGHEST, relative.max())
    frame_at = np.arange(WIDTH) * len(relative) // WIDTH
    tall = np.round((BARS - 2) * relative[frame_at] / highest)
    filled = np.arange(BARS)[::-1, None] < tall
    picture = np.full((BARS, WIDTH, 3), 255, np.uint8)
    picture[filled] = _rgb(SKY)
    now = frame_at == current
    picture[:, now] = np.where(filled[:, now, None], _rgb(BLUE), _rgb(GRID))
    if 4 * len(relative) <= WIDTH:  # room for gaps
        picture[:, 1:][:, np.diff(frame_at) > 0] = 255
    picture[BARS - 1 - round((BARS - 2) / highest)] = _rgb(MUTED)
    return picture


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


def _jpeg(picture: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "JPEG", quality=_QUALITY)
    return content.getvalue()
