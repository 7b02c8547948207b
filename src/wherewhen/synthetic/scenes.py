"""Backgrounds: one wide picture of a street for each camera.

A camera is fixed, so all its tracklets are cut from the same picture, each from another place. The
colours are muted: saturated clutter looks wrong and gives the background away.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SCALE = 2
"""The picture's pixels for one pixel of the crop."""

PEOPLE_ROW = 0.80
"""Where the feet of people are in the picture (fraction of its height)."""

GROUNDS = ((118, 117, 113), (104, 106, 109), (128, 122, 114), (96, 98, 96))
WALLS = ((128, 116, 106), (110, 112, 116), (142, 138, 128), (92, 96, 102), (120, 104, 94))
GREENS = ((72, 84, 58), (60, 74, 54), (86, 92, 66))
CARS = ((60, 62, 68), (140, 142, 146), (88, 58, 57), (60, 67, 80), (178, 178, 174), (34, 34, 38))
SIGNS = ((82, 93, 109), (122, 88, 84), (172, 169, 162), (84, 101, 91), (156, 146, 114))


def draw_scene(height: int, elevation: float, generator: np.random.Generator) -> Image.Image:
    """Draw the street that a camera looks at.

    Parameters
    ----------
    height : int
        Height of a crop (pixels).
    elevation : float
        Angle (rad) by which the camera looks down; the steeper, the more ground it sees.
    generator : numpy.random.Generator
        Source of the choices.

    Returns
    -------
    PIL.Image.Image
        RGB, `2 * SCALE` crops high and 20 crops' widths wide.
    """
    size = (10 * height * SCALE, 2 * height * SCALE)
    # The wall's foot sinks from eye level as the camera rises.
    horizon = int(size[1] * np.clip(0.66 - 1.0 * elevation, 0.3, 0.6))
    picture = Image.new("RGB", size, _vary(GROUNDS, generator))
    draw = ImageDraw.Draw(picture)
    _pave(draw, size, horizon, generator)
    _build(draw, size, horizon, generator)
    _park(draw, size, horizon, generator)
    _crowd(draw, size, horizon, generator)
    picture = picture.filter(ImageFilter.GaussianBlur(1.3 * SCALE))
    return _weather(picture, generator)


def _vary(colours, generator: np.random.Generator, spread: float = 10.0) -> tuple[int, int, int]:
    """Draw one of some colours, with a small variation."""
    colour = np.array(colours[int(generator.integers(len(colours)))])
    colour = colour + generator.normal(0, spread) + generator.normal(0, 0.12 * spread, 3)
    return tuple(int(channel) for channel in np.clip(colour, 12, 235))


def _pave(draw: ImageDraw.ImageDraw, size, horizon: int, generator) -> None:
    """Draw slabs, a kerb, a strip of grass or road, and markings."""
    width, height = size
    joint = _vary(((88, 88, 86),), generator, 6)
    slab = int(generator.integers(50, 110)) * SCALE // 2
    rows = horizon + (height - horizon) * np.linspace(0, 1, 9) ** 1.6
    for row in rows[1:]:
        draw.line([(0, row), (width, row)], fill=joint, width=SCALE)
    for start in range(-height, width + height, slab):
        lean = int(0.35 * (height - horizon))
        draw.line([(start, horizon), (start + lean, height)], fill=joint, width=SCALE)
    band = int(generator.integers(10, 26)) * SCALE
    colour = _vary(GREENS if generator.random() < 0.5 else ((78, 79, 82),), generator)
    draw.rectangle([0, horizon, width, horizon + band], fill=colour)
    draw.rectangle([0, horizon + band, width, horizon + band + 3 * SCALE], fill=(158, 156, 150))
    for _ in range(7):  # markings, drains, repaired patches, leaves
        left = int(generator.integers(0, width))
        top = int(generator.integers(horizon + band, height - 8))
        long, flat = (
            generator.integers(20, 160) * SCALE // 2,
            generator.integers(3, 14) * SCALE // 2,
        )
        shade = _vary(((150, 149, 143), (82, 82, 82), (98, 90, 80)), generator)
        draw.rectangle([left, top, left + int(long), top + int(flat)], fill=shade)


def _build(draw: ImageDraw.ImageDraw, size, horizon: int, generator) -> None:
    """Draw house fronts with doors, windows and signs, hedges and gaps between them."""
    width, _ = size
    left = 0
    while left < width:
        span = int(generator.integers(90, 340)) * SCALE // 2
        right = left + span
        if generator.random() < 0.25:
            draw.rectangle([left, 0, right, horizon], fill=_vary(GREENS, generator))
            for _ in range(50):
                x, y = generator.integers(left, right), generator.integers(0, horizon)
                radius = int(generator.integers(4, 14)) * SCALE // 2
                draw.ellipse(
                    [x - radius, y - radius, x + radius, y + radius],
                    fill=_vary(GREENS, generator, 16),
                )
        else:
            wall = _vary(WALLS, generator, 16)
            draw.rectangle([left, 0, right, horizon], fill=wall)
            plinth = tuple(int(0.8 * channel) for channel in wall)
            draw.rectangle([left, horizon - 9 * SCALE, right, horizon], fill=plinth)
            step = int(generator.integers(26, 60)) * SCALE
            for x in range(left + 6 * SCALE, right - step // 2, step):
                top = horizon - int(generator.integers(50, 90)) * SCALE
                sill = horizon - int(generator.choice([0, 14, 22])) * SCALE
                pane = _vary(((52, 58, 66), (70, 76, 84), (96, 98, 98), (64, 50, 42)), generator)
                draw.rectangle([x, top, x + int(0.6 * step), sill], fill=pane)
                if generator.random() < 0.3:
                    draw.rectangle(
                        [x, top - 9 * SCALE, x + int(0.6 * step), top],
                        fill=_vary(SIGNS, generator, 12),
                    )
        left = right


def _park(draw: ImageDraw.ImageDraw, size, horizon: int, generator) -> None:
    """Draw parked cars, bins, posts and trees."""
    width, _ = size
    for _ in range(int(generator.integers(5, 9))):
        left, long = (
            int(generator.integers(0, width)),
            150 * SCALE // 2 + int(generator.integers(40)),
        )
        base, colour = horizon + 12 * SCALE, _vary(CARS, generator)
        draw.rounded_rectangle(
            [left, base - 24 * SCALE, left + long, base], radius=8 * SCALE, fill=colour
        )
        draw.rounded_rectangle(
            [left + long // 5, base - 38 * SCALE, left + 4 * long // 5, base - 20 * SCALE],
            radius=8 * SCALE,
            fill=(50, 54, 60),
        )
        for wheel in (0.2, 0.78):
            x = left + int(wheel * long)
            draw.ellipse(
                [x - 6 * SCALE, base - 6 * SCALE, x + 6 * SCALE, base + 6 * SCALE],
                fill=(28, 28, 30),
            )
    for _ in range(int(generator.integers(12, 20))):
        x, kind = int(generator.integers(0, width)), generator.random()
        base = horizon + int(generator.integers(4, 30)) * SCALE
        if kind < 0.4:  # a post or a trunk
            thick = int(generator.integers(2, 6)) * SCALE
            draw.rectangle(
                [x, 0, x + thick, base], fill=_vary(((70, 62, 54), (84, 86, 88)), generator)
            )
        elif kind < 0.7:  # a bin, a box
            draw.rectangle(
                [x, base - 26 * SCALE, x + 15 * SCALE, base],
                fill=_vary(((54, 64, 58), (66, 68, 74), (110, 104, 92)), generator),
            )
        else:  # a board on legs
            draw.rectangle(
                [x, base - 44 * SCALE, x + 22 * SCALE, base - 12 * SCALE],
                fill=_vary(SIGNS, generator, 14),
            )


def _crowd(draw: ImageDraw.ImageDraw, size, horizon: int, generator) -> None:
    """Draw distant bystanders."""
    width, _ = size
    for _ in range(int(generator.integers(5, 11))):
        x = int(generator.integers(0, width))
        base = horizon + int(generator.integers(8, 24)) * SCALE
        tall = int(generator.integers(44, 62)) * SCALE
        coat = _vary(((40, 42, 48), (78, 82, 92), (104, 60, 58), (58, 70, 62)), generator, 14)
        legs = _vary(((36, 38, 46), (62, 74, 96)), generator)
        broad = tall // 7
        draw.rectangle([x - broad * 0.7, base - tall * 0.5, x + broad * 0.7, base], fill=legs)
        draw.rounded_rectangle(
            [x - broad, base - tall * 0.86, x + broad, base - tall * 0.42], radius=broad, fill=coat
        )
        draw.ellipse(
            [x - broad * 0.45, base - tall, x + broad * 0.45, base - tall * 0.84], fill=(84, 66, 56)
        )


def _weather(picture: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Add the unevenness of real surfaces: stains at every size, and light that falls off."""
    pixels = np.asarray(picture, dtype=np.float32)
    height, width = pixels.shape[:2]
    stains = np.zeros((height, width), dtype=np.float32)
    for cells, strength in ((8, 5.0), (32, 4.5), (128, 4.0)):
        coarse = generator.standard_normal((cells // 4 + 1, cells)).astype(np.float32)
        stains += strength * np.asarray(
            Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        )
    stains += generator.normal(0, 3.0, (height, width))
    return Image.fromarray(np.clip(1.15 * pixels + stains[..., None], 0, 255).astype(np.uint8))
