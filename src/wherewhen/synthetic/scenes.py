"""Backgrounds: one wide picture of a street, or of another kind of place, for each camera.

A camera is fixed, so all its tracklets are cut from the same picture, each from another part. The
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
SKIES = ((150, 156, 164), (132, 144, 160), (164, 164, 162))
GRAVELS = ((134, 128, 114), (118, 114, 104), (126, 118, 108))
AWNINGS = ((128, 64, 48), (62, 98, 80), (100, 84, 124), (150, 122, 66), (70, 86, 92))
SIGNS = ((82, 93, 109), (122, 88, 84), (172, 169, 162), (84, 101, 91), (156, 146, 114))


def draw_scene(
    height: int, elevation: float, generator: np.random.Generator, kind: str = "street"
) -> Image.Image:
    """Draw the place that a camera looks at.

    Parameters
    ----------
    height : int
        Height of a crop (pixels).
    elevation : float
        Angle (rad) by which the camera looks down; the steeper, the more ground it sees.
    generator : numpy.random.Generator
        Source of the choices.
    kind : str
        A key of `PLACES`.

    Returns
    -------
    PIL.Image.Image
        RGB, `2 * SCALE` crops high and 20 crops' widths wide.
    """
    size = (10 * height * SCALE, 2 * height * SCALE)
    # The wall's foot sinks from eye level as the camera rises.
    horizon = int(size[1] * np.clip(0.66 - 1.0 * elevation, 0.3, 0.6))
    grounds, painters = PLACES[kind]
    picture = Image.new("RGB", size, _vary(grounds, generator))
    draw = ImageDraw.Draw(picture)
    for paint in painters:
        paint(draw, size, horizon, generator)
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


def _lawn(draw: ImageDraw.ImageDraw, size, horizon: int, generator) -> None:
    """Draw a path through grass, hedges, trees and benches."""
    width, height = size
    draw.rectangle([0, 0, width, horizon], fill=_vary(SKIES, generator))
    _patches(draw, (0, int(0.4 * horizon), width, horizon), GREENS, 500, (5, 22), generator)
    _patches(draw, (0, horizon, width, height), GREENS, 300, (4, 16), generator)
    top = horizon + int(generator.integers(20, 50)) * SCALE
    draw.rectangle([0, top, width, height], fill=_vary(GRAVELS, generator))
    for x in _along(width, 30, 120, generator):
        base, thick = top - int(generator.integers(4, 24)) * SCALE, generator.integers(2, 7) * SCALE
        draw.rectangle([x, 0, x + int(thick), base], fill=_vary(((70, 62, 54),), generator))
        radius = int(generator.integers(14, 40)) * SCALE
        crown = (x - radius, -radius, x + radius, int(0.6 * radius))
        _patches(draw, crown, GREENS, 30, (5, 14), generator)


def _hall(draw: ImageDraw.ImageDraw, size, horizon: int, generator) -> None:
    """Draw a hall: polished tiles, panels, lit windows of shops and columns."""
    width, _ = size
    draw.rectangle([0, 0, width, horizon], fill=_vary(WALLS, generator, 14))
    for x in _along(width, 60, 160, generator):
        right, top = x + int(generator.integers(40, 110)) * SCALE, horizon - 80 * SCALE
        pane = _vary(((176, 174, 164), (92, 98, 104), (150, 158, 164), (70, 66, 64)), generator)
        draw.rectangle([x, top, right, horizon - 6 * SCALE], fill=pane)
        draw.rectangle([x, top - 12 * SCALE, right, top], fill=_vary(SIGNS, generator, 16))
        shine = tuple(int(0.55 * a + 0.45 * b) for a, b in zip(pane, (150, 148, 142), strict=True))
        draw.rectangle([x, horizon, right, horizon + 30 * SCALE], fill=shine)  # mirrored
    _tile(draw, size, horizon, (138, 137, 132), generator)
    for x in _along(width, 110, 260, generator):
        thick = int(generator.integers(9, 20)) * SCALE
        draw.rectangle([x, 0, x + thick, horizon + 10 * SCALE], fill=_vary(WALLS, generator, 20))


def _square(draw: ImageDraw.ImageDraw, size, horizon: int, generator) -> None:
    """Draw wide paving under a far row of houses and the sky."""
    width, height = size
    draw.rectangle([0, 0, width, horizon], fill=_vary(SKIES, generator))
    for x in _along(width, 26, 70, generator):
        tall = int(generator.integers(24, 70)) * SCALE
        right = x + int(generator.integers(30, 80)) * SCALE
        draw.rectangle([x, horizon - tall, right, horizon], fill=_vary(WALLS, generator, 18))
        for sill in range(horizon - tall + 6 * SCALE, horizon - 10 * SCALE, 16 * SCALE):
            for left in range(x + 4 * SCALE, right - 6 * SCALE, 12 * SCALE):
                draw.rectangle([left, sill, left + 5 * SCALE, sill + 8 * SCALE], fill=(70, 74, 80))
    _tile(draw, size, horizon, (96, 95, 92), generator)
    _patches(draw, (0, horizon, width, height), GROUNDS, 60, (8, 40), generator)


def _car_park(draw: ImageDraw.ImageDraw, size, horizon: int, generator) -> None:
    """Draw concrete with the lines of bays, and cars before a wall."""
    width, height = size
    draw.rectangle([0, 0, width, horizon], fill=_vary(WALLS, generator, 20))
    for row in range(horizon, 0, -int(generator.integers(24, 60)) * SCALE):
        draw.line([(0, row), (width, row)], fill=_vary(((92, 92, 90),), generator), width=SCALE)
    bay = int(generator.integers(60, 110)) * SCALE
    for x in range(0, width, bay):
        draw.line([(x, horizon), (x - bay, height)], fill=(166, 165, 158), width=2 * SCALE)
    for x in _along(width, 90, 200, generator):
        long, base = int(generator.integers(95, 125)) * SCALE, horizon + 22 * SCALE
        colour = _vary(CARS, generator)
        body = [x, base - 34 * SCALE, x + long, base - 5 * SCALE]
        draw.rounded_rectangle(body, radius=10 * SCALE, fill=colour)
        roof = [x + long // 5, base - 56 * SCALE, x + 4 * long // 5, base - 30 * SCALE]
        draw.rounded_rectangle(roof, radius=11 * SCALE, fill=(52, 56, 62))
        for wheel in (0.2, 0.78):
            left = x + int(wheel * long)
            draw.ellipse(
                [left - 9 * SCALE, base - 16 * SCALE, left + 9 * SCALE, base], fill=(30,) * 3
            )


def _platform(draw: ImageDraw.ImageDraw, size, horizon: int, generator) -> None:
    """Draw a platform's edge with its warning line, and a train with rows of windows."""
    width, _ = size
    coach = _vary(((150, 156, 154), (96, 112, 104), (120, 108, 122)), generator)
    draw.rectangle([0, 0, width, horizon], fill=coach)
    top, sill = horizon - 86 * SCALE, horizon - 46 * SCALE
    for x in _along(width, 34, 60, generator):
        draw.rounded_rectangle([x, top, x + 28 * SCALE, sill], radius=5 * SCALE, fill=(44, 50, 54))
    stripe = _vary(((142, 74, 40), (58, 104, 82), (92, 70, 116)), generator)
    draw.rectangle([0, sill + 8 * SCALE, width, sill + 18 * SCALE], fill=stripe)
    for x in _along(width, 160, 260, generator):
        draw.rectangle([x, top - 10 * SCALE, x + 34 * SCALE, horizon], fill=_darker(coach))
    draw.rectangle([0, horizon - 8 * SCALE, width, horizon + 6 * SCALE], fill=(36, 36, 36))
    line = horizon + int(generator.integers(14, 26)) * SCALE
    draw.rectangle([0, line, width, line + 6 * SCALE], fill=(158, 144, 92))
    for x in range(0, width, 5 * SCALE):
        draw.ellipse([x, line + 10 * SCALE, x + 3 * SCALE, line + 13 * SCALE], fill=(150, 146, 132))


def _market(draw: ImageDraw.ImageDraw, size, horizon: int, generator) -> None:
    """Draw stalls under striped awnings, crates, and cobbles."""
    width, height = size
    draw.rectangle([0, 0, width, horizon], fill=_vary(((64, 66, 64), (84, 80, 76)), generator))
    for x in _along(width, 90, 150, generator):
        right, low = x + int(generator.integers(70, 130)) * SCALE, horizon - 64 * SCALE
        first, second = _vary(AWNINGS, generator, 14), (176, 174, 166)
        for band, left in enumerate(range(x, right, 8 * SCALE)):
            fill = second if band % 2 else first
            draw.rectangle([left, low - 26 * SCALE, left + 8 * SCALE, low], fill=fill)
        draw.rectangle([x, horizon - 30 * SCALE, right, horizon + 8 * SCALE], fill=(82, 72, 60))
        heap = (x, horizon - 42 * SCALE, right, horizon - 28 * SCALE)
        _patches(draw, heap, AWNINGS, 24, (3, 6), generator)
    for row in range(horizon + 8 * SCALE, height, 7 * SCALE):
        for x in range((row // (7 * SCALE)) % 2 * 5 * SCALE, width, 10 * SCALE):
            stone = _vary(((104, 102, 98), (88, 88, 90), (118, 114, 106)), generator, 6)
            draw.ellipse([x, row, x + 9 * SCALE, row + 6 * SCALE], fill=stone)


def _yard(draw: ImageDraw.ImageDraw, size, horizon: int, generator) -> None:
    """Draw a brick wall with paint on it, stacked containers, and planks."""
    width, height = size
    mortar = _vary(((120, 112, 104),), generator)
    draw.rectangle([0, 0, width, horizon], fill=mortar)
    for course, row in enumerate(range(0, horizon, 5 * SCALE)):
        for x in range(course % 2 * -6 * SCALE, width, 12 * SCALE):
            brick = _vary(((108, 74, 62), (96, 66, 58), (120, 84, 70)), generator, 6)
            draw.rectangle([x, row, x + 11 * SCALE, row + 4 * SCALE], fill=brick)
    for x in _along(width, 60, 170, generator):
        wild = (x, horizon - 70 * SCALE, x + 40 * SCALE, horizon - 30 * SCALE)
        _patches(draw, wild, AWNINGS, 7, (4, 12), generator)
    for x in _along(width, 180, 320, generator):
        right, box = x + int(generator.integers(90, 150)) * SCALE, _vary(AWNINGS, generator, 16)
        draw.rectangle([x, horizon - 78 * SCALE, right, horizon + 6 * SCALE], fill=box)
        for rib in range(x, right, 6 * SCALE):
            draw.line([(rib, horizon - 78 * SCALE), (rib, horizon + 6 * SCALE)], fill=_darker(box),
                      width=SCALE)  # fmt: skip
    for row in range(horizon, height, int(generator.integers(9, 16)) * SCALE):
        draw.line([(0, row), (width, row)], fill=(64, 58, 52), width=SCALE)


def _winter(draw: ImageDraw.ImageDraw, size, horizon: int, generator) -> None:
    """Draw snow with tracks in it, bare trees and a fence."""
    width, height = size
    draw.rectangle(
        [0, 0, width, horizon], fill=_vary(((150, 154, 158), (128, 132, 138)), generator)
    )
    for x in _along(width, 8, 40, generator):
        base, lean = (
            horizon - int(generator.integers(0, 14)) * SCALE,
            int(generator.integers(-9, 9)),
        )
        bark = _vary(((74, 70, 68), (98, 94, 90)), generator)
        draw.line(
            [(x, base), (x + lean * SCALE, 0)],
            fill=bark,
            width=int(generator.integers(1, 4)) * SCALE,
        )
        for _ in range(5):
            start = int(generator.integers(0, base))
            end = (x + int(generator.integers(-24, 24)) * SCALE, start - 20 * SCALE)
            draw.line([(x, start), end], fill=bark, width=SCALE)
    for row in (22, 32):
        draw.line([(0, horizon - row * SCALE), (width, horizon - row * SCALE)], fill=(96, 88, 80),
                  width=2 * SCALE)  # fmt: skip
    for x in range(0, width, 44 * SCALE):
        draw.rectangle(
            [x, horizon - 38 * SCALE, x + 4 * SCALE, horizon + 4 * SCALE], fill=(86, 80, 74)
        )
    _patches(draw, (0, horizon, width, height), ((168, 172, 178), (138, 142, 150)), 260, (4, 18),
             generator)  # fmt: skip


def _tile(draw: ImageDraw.ImageDraw, size, horizon: int, joint, generator) -> None:
    """Draw the joints of a tiled floor that runs away from the camera."""
    width, height = size
    shade = _vary((joint,), generator, 8)
    for share in np.linspace(0, 1, int(generator.integers(7, 14))) ** 1.7:
        row = horizon + (height - horizon) * float(share)
        draw.line([(0, row), (width, row)], fill=shade, width=SCALE)
    step, lean = int(generator.integers(30, 80)) * SCALE, int(generator.integers(-200, 200))
    for x in range(-400, width + 400, step):
        draw.line([(x, horizon), (x + lean, height)], fill=shade, width=SCALE)


def _patches(draw: ImageDraw.ImageDraw, box, colours, count: int, radii, generator) -> None:
    """Scatter flat ellipses of some colours over a box (left, top, right, bottom)."""
    left, top, right, bottom = box
    for _ in range(count):
        x, y = generator.uniform(left, right), generator.uniform(top, bottom)
        radius = generator.uniform(*radii) * SCALE / 2
        patch = [x - radius, y - 0.6 * radius, x + radius, y + 0.6 * radius]
        draw.ellipse(patch, fill=_vary(colours, generator, 12))


def _along(width: int, least: int, most: int, generator) -> list[int]:
    """Return the left edges of things that stand in a row, so many pixels of a crop apart."""
    edges = [int(generator.integers(0, least)) * SCALE]
    while edges[-1] < width:
        edges.append(edges[-1] + int(generator.integers(least, most)) * SCALE)
    return edges


def _darker(colour: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(0.8 * channel) for channel in colour)


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


PLACES = {
    "street": (GROUNDS, (_pave, _build, _park, _crowd)),
    "park": (GREENS, (_lawn, _crowd)),
    "hall": (((152, 150, 144), (128, 128, 130)), (_hall, _crowd)),
    "square": (GROUNDS, (_square, _crowd)),
    "car_park": (((110, 110, 108), (92, 93, 94)), (_car_park,)),
    "platform": (((112, 112, 112), (126, 122, 116)), (_platform,)),
    "market": (((80, 80, 78),), (_market,)),
    "yard": (((112, 98, 82), (98, 92, 84)), (_yard,)),
    "winter": (((178, 182, 188), (164, 168, 172)), (_winter,)),
}
"""Kinds of places: colours of their ground, and what is painted on it, in this order."""
