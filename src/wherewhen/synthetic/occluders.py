"""Occluders between camera and person: a post, a sign, another walker."""

from __future__ import annotations

import numpy as np

POST, SIGN, WALKER = range(3)
"""Kinds of occluders."""

POSTS = ((0.30, 0.31, 0.32), (0.42, 0.42, 0.41), (0.22, 0.21, 0.20), (0.24, 0.29, 0.26))
BOARDS = ((0.33, 0.37, 0.43), (0.45, 0.34, 0.32), (0.66, 0.65, 0.62), (0.33, 0.40, 0.36))


def path(frames: int, width: int, speed: float, generator: np.random.Generator) -> np.ndarray:
    """Return the column of an occluder's middle in each frame, [frames].

    It crosses a crop of some width (pixels) at a speed (pixels a frame; its sign is the direction).
    """
    moment = generator.uniform(0.2, 0.8) * frames
    return width / 2 + speed * (np.arange(frames) - moment)


def post(
    columns: np.ndarray, height: int, width: int, sign: bool, generator: np.random.Generator
) -> np.ndarray:
    """Draw a post, perhaps with a board.

    Parameters
    ----------
    columns : numpy.ndarray
        From `path`.
    height, width : int
        Size of the crop (pixels).
    sign : bool
        Whether the post carries a board.
    generator : numpy.random.Generator
        Source of size and colour.

    Returns
    -------
    numpy.ndarray
        Colour (multiplied by coverage) and coverage, float32 [frames, height, width, 4].
    """
    thick = generator.uniform(0.05, 0.13) * width
    front = np.zeros((len(columns), height, width, 4), dtype=np.float32)
    colour = POSTS[int(generator.integers(len(POSTS)))]
    _paint(front, columns, thick, (0, height), colour)
    if sign:
        board = BOARDS[int(generator.integers(len(BOARDS)))]
        tall, top = generator.uniform(0.18, 0.3), generator.uniform(0.1, 0.5)
        rows = (int(top * height), int((top + tall) * height))
        _paint(front, columns, generator.uniform(0.3, 0.5) * width, rows, board)
    return front


def _paint(front: np.ndarray, columns, thick: float, rows: tuple[int, int], colour) -> None:
    """Draw a vertical cylinder of a colour, with shading."""
    pixels = np.arange(front.shape[2]) + 0.5
    away = np.abs(pixels[None] - columns[:, None])
    cover = np.clip(thick / 2 - away + 0.5, 0, 1).astype(np.float32)
    light = 1.1 - 0.35 * np.clip((pixels[None] - columns[:, None]) / thick + 0.5, 0, 1)
    bar = np.concatenate(
        [cover[..., None] * light[..., None] * np.asarray(colour), cover[..., None]], axis=2
    ).astype(np.float32)
    part = front[:, rows[0] : rows[1]]
    part *= 1 - cover[:, None, :, None]
    part += bar[:, None]


def walker(sprites: np.ndarray, phases: np.ndarray, columns: np.ndarray, drop: int) -> np.ndarray:
    """Draw another walker.

    Parameters
    ----------
    sprites : numpy.ndarray
        The walker at evenly spaced phases of the gait, float32 [phases, height, width, 4].
    phases : numpy.ndarray
        Phase (0 to 1) in each frame, [frames].
    columns : numpy.ndarray
        From `path`.
    drop : int
        How much lower than the person they walk, being nearer (pixels).

    Returns
    -------
    numpy.ndarray
        float32 [frames, height, width, 4].
    """
    count, height, width, _ = sprites.shape
    front = np.zeros((len(phases), height, width, 4), dtype=np.float32)
    for frame, (phase, column) in enumerate(zip(phases, columns, strict=True)):
        shift = round(float(column) - width / 2)
        if abs(shift) >= width:
            continue
        sprite = sprites[int(phase * count) % count]
        to = slice(max(shift, 0), width + min(shift, 0))
        of = slice(max(-shift, 0), width - max(shift, 0))
        front[frame, drop:, to] = sprite[: height - drop, of]
    return front
