"""Occluders between camera and person: posts, signs, walkers, railings, bushes, carts."""

from __future__ import annotations

import numpy as np

POST, SIGN, WALKER, RAILING, BUSH, CART = range(6)
"""Kinds of occluders."""

POSTS = ((0.30, 0.31, 0.32), (0.42, 0.42, 0.41), (0.22, 0.21, 0.20), (0.24, 0.29, 0.26))
BOARDS = ((0.33, 0.37, 0.43), (0.45, 0.34, 0.32), (0.66, 0.65, 0.62), (0.33, 0.40, 0.36))
RAILS = ((0.62, 0.62, 0.60), (0.16, 0.17, 0.18), (0.30, 0.36, 0.30))
LEAVES = (0.20, 0.27, 0.14)
BOXES = ((0.44, 0.36, 0.28), (0.30, 0.40, 0.42), (0.56, 0.55, 0.52), (0.42, 0.24, 0.20))


def path(frames: int, width: int, speed: float, generator: np.random.Generator) -> np.ndarray:
    """Return the column of an occluder's middle in each frame, [frames].

    It crosses a crop of some width (pixels) at a speed (pixels a frame; its sign is the direction).
    """
    moment = generator.uniform(0.2, 0.8) * frames
    return width / 2 + speed * (np.arange(frames) - moment)


def draw(
    kind: int, columns: np.ndarray, height: int, width: int, generator: np.random.Generator
) -> np.ndarray:
    """Draw a thing of a kind (any but `WALKER`); arguments and result as for `post`."""
    if kind in (POST, SIGN):
        return post(columns, height, width, kind == SIGN, generator)
    return {RAILING: railing, BUSH: bush, CART: cart}[kind](columns, height, width, generator)


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


def railing(
    columns: np.ndarray, height: int, width: int, generator: np.random.Generator
) -> np.ndarray:
    """Draw a railing before the legs: two bars across and rods between them; see `post`."""
    front = np.zeros((len(columns), height, width, 4), dtype=np.float32)
    colour = RAILS[int(generator.integers(len(RAILS)))]
    top = int(generator.uniform(0.55, 0.72) * height)
    thick, gap = max(1, round(0.016 * height)), generator.uniform(0.16, 0.3) * width
    for rod in range(-8, 9):
        _paint(front, columns + rod * gap, max(1.0, 0.03 * width), (top, height), colour)
    for row in (top, top + int(0.28 * height)):
        front[:, row : row + thick, :, :3] = np.asarray(colour, dtype=np.float32)
        front[:, row : row + thick, :, 3] = 1.0
    return front


def bush(
    columns: np.ndarray, height: int, width: int, generator: np.random.Generator
) -> np.ndarray:
    """Draw a bush as high as the hips; see `post`."""
    leaves = 60
    x = generator.normal(0, 0.28 * width, leaves)
    y = height * generator.uniform(0.62, 1.0, leaves)
    radii = height * generator.uniform(0.03, 0.07, leaves)
    shades = generator.uniform(0.6, 1.2, (leaves, 1)) * np.array(LEAVES)
    rows, pixels = np.arange(height) + 0.5, np.arange(width) + 0.5
    front = np.zeros((len(columns), height, width, 4), dtype=np.float32)
    for frame, column in enumerate(columns):
        for leaf in range(leaves):
            away = np.hypot(rows[:, None] - y[leaf], pixels[None] - column - x[leaf])
            cover = np.clip(radii[leaf] - away + 0.5, 0, 1).astype(np.float32)[..., None]
            ink = np.append(shades[leaf], 1.0).astype(np.float32)
            front[frame] = front[frame] * (1 - cover) + cover * ink
    return front


def cart(
    columns: np.ndarray, height: int, width: int, generator: np.random.Generator
) -> np.ndarray:
    """Draw a cart with boxes on it, as high as the waist; see `post`."""
    front = np.zeros((len(columns), height, width, 4), dtype=np.float32)
    top = int(generator.uniform(0.5, 0.66) * height)
    long = generator.uniform(0.5, 0.9) * width
    for rows, share in (((top, int(0.9 * height)), 1.0), ((top - height // 10, top), 0.6)):
        colour = BOXES[int(generator.integers(len(BOXES)))]
        _paint(front, columns, share * long, rows, colour)
    for side in (-0.35, 0.35):
        _paint(front, columns + side * long, 0.1 * width, (int(0.9 * height), height), (0.1,) * 3)
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
