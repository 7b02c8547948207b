"""The wardrobe of a set, and the choice of outfits.

Garments are shared, so that colour alone does not identify a person. A `Stock` says what they are
made from; each world has its own. Colours that could pass for skin (beige, camel, pale pink, light
brown) are in none: a coat of that colour looks like nudity at 64 x 128.
"""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

Colour = tuple[float, float, float]

PLAIN, HOOPS, PINSTRIPES, CHECKS, MOTTLED, YOKE, PRINT = range(7)
DIAGONALS, DOTS, BAND = range(7, 10)
CAMOUFLAGE, BARS, HALVES, TILES, DIP = range(10, 15)
"""Patterns of a cloth; the renderer's kernel knows them by these numbers. The first seven are those
of the street, three more those of the varied world, the last five those of the held-out one."""

SCALES = {
    HOOPS: 0.11, PINSTRIPES: 0.07, CHECKS: 0.14, PRINT: 0.2, MOTTLED: 0.03,
    DIAGONALS: 0.12, DOTS: 0.09, CAMOUFLAGE: 0.11, BARS: 0.13, TILES: 0.20,
}  # fmt: skip
"""Sizes of patterns (m)."""

COLOURS: dict[str, Colour] = {
    "black": (0.075, 0.075, 0.085),
    "charcoal": (0.20, 0.205, 0.22),
    "grey": (0.42, 0.43, 0.44),
    "silver": (0.64, 0.65, 0.67),
    "white": (0.86, 0.86, 0.85),
    "navy": (0.10, 0.13, 0.25),
    "denim": (0.25, 0.34, 0.49),
    "faded denim": (0.44, 0.53, 0.64),
    "royal": (0.13, 0.24, 0.55),
    "sky": (0.46, 0.63, 0.78),
    "teal": (0.08, 0.38, 0.41),
    "bottle": (0.10, 0.26, 0.18),
    "olive": (0.30, 0.33, 0.19),
    "moss": (0.34, 0.45, 0.27),
    "red": (0.66, 0.11, 0.13),
    "burgundy": (0.36, 0.08, 0.14),
    "plum": (0.33, 0.17, 0.36),
    "mustard": (0.72, 0.56, 0.12),
    "espresso": (0.17, 0.12, 0.10),
}
HAIR: tuple[Colour, ...] = (
    (0.06, 0.05, 0.05), (0.10, 0.075, 0.06), (0.17, 0.11, 0.08), (0.25, 0.16, 0.10),
    (0.55, 0.43, 0.26), (0.42, 0.41, 0.40), (0.32, 0.14, 0.08),
)  # fmt: skip
SKIN: tuple[Colour, ...] = (
    (0.86, 0.67, 0.57), (0.79, 0.59, 0.48), (0.70, 0.51, 0.40), (0.57, 0.39, 0.29),
    (0.42, 0.28, 0.21), (0.31, 0.20, 0.15),
)  # fmt: skip


COVERED = ("beanie", "cap", "headscarf", "sun hat")
"""Styles of the head that hide hair under a cloth."""


@dataclass(frozen=True)
class Cloth:
    """Cloth: a colour, optionally a second one, and their pattern."""

    colour: Colour
    second: Colour = (0.0, 0.0, 0.0)
    pattern: int = PLAIN
    scale: float = 0.1
    """Size of the pattern (m)."""
    folds: float = 1.0
    """How strongly the cloth folds: 0 for skin, 1 for a coat."""


@dataclass(frozen=True)
class Top:
    """A garment above the waist; a long one covers part of the legs."""

    name: str
    cloth: Cloth
    sleeve_cloth: Cloth
    collar_cloth: Cloth
    sleeves: float
    """Length of the sleeves (fraction of the arm); 0.95 ends at the wrist."""
    hem: float
    """Where it ends (fraction of the leg below the hip)."""
    ease: float
    """Distance to the body (m)."""
    collar: float
    """How high it stands at the neck (fraction of the neck)."""
    open_front: Cloth | None = None
    """What shows between the open halves of a jacket."""
    hood: bool = False


@dataclass(frozen=True)
class Bottom:
    """A garment below the waist: trousers, shorts or a skirt."""

    name: str
    cloth: Cloth
    kind: str
    """`trousers` or `skirt`; shorts are short trousers."""
    length: float
    """Where it ends (fraction of the leg)."""
    ease: float
    """Distance to the body (m)."""
    leg_width: float = 0.0
    """Least radius of a trouser leg at its hem (m)."""
    tights: Cloth | None = None


@dataclass(frozen=True)
class Shoes:
    """A pair of shoes or boots."""

    name: str
    cloth: Cloth
    sole: Cloth
    height: float
    """How far up the leg they reach (fraction of the leg above the sole)."""


@dataclass(frozen=True)
class Bag:
    """A bag: `backpack`, `shoulder` (across the body) or `hand`."""

    kind: str
    cloth: Cloth
    size: tuple[float, float, float]
    """Width, depth and height (m)."""
    side: int = 1
    """1: on the left, -1: on the right."""


@dataclass(frozen=True)
class Head:
    """Skin, hair and what covers it."""

    skin: Cloth
    hair: Cloth
    style: str
    """`short`, `bob`, `long`, `ponytail`, `bun`, `curls`, or one of `COVERED`."""
    cover: Cloth | None = None
    beard: bool = False


@dataclass(frozen=True)
class Outfit:
    """The clothes, hair and bag of a person."""

    top: Top
    bottom: Bottom
    shoes: Shoes
    head: Head
    bag: Bag | None


class TopKind(NamedTuple):
    """A cut of a garment above the waist; lengths as in `Top`."""

    name: str
    sleeves: float
    hem: float
    ease: float
    collar: float
    patterns: tuple[int, ...]
    """Those that suit it."""
    coat: bool = False
    """Whether it comes in the colours of coats alone."""
    second: str = ""
    """Which part has the second colour: `sleeves`, `collar` or none."""
    open: bool = False
    hood: bool = False


class BottomKind(NamedTuple):
    """A cut of a garment below the waist; see `Bottom`."""

    name: str
    kind: str
    length: float
    ease: float
    leg_width: float
    patterns: tuple[int, ...] = (PLAIN,)


@dataclass(frozen=True)
class Stock:
    """What the garments of a world are made from: dyes, cuts, patterns, sizes of bags, hair styles.

    All names of colours are keys of `palette`.
    """

    palette: Mapping[str, Colour]
    tops: tuple[str, ...]
    coats: tuple[str, ...]
    seconds: tuple[str, ...]
    """Of patterns."""
    inners: tuple[str, ...]
    """Of what an open jacket shows."""
    bottoms: tuple[str, ...]
    shoes: tuple[str, ...]
    light_soles: tuple[str, ...]
    """Shoes with light soles; the others have dark ones."""
    bags: tuple[str, ...]
    covers: tuple[str, ...]
    """Of headgear."""
    light: str
    dark: str
    """Colours of soles; tights are dark."""
    top_kinds: tuple[TopKind, ...]
    bottom_kinds: tuple[BottomKind, ...]
    women: tuple[str, ...]
    men: tuple[str, ...]
    """Styles of the head, the frequent ones several times."""
    bag_sizes: Mapping[str, tuple[float, float, float]] = field(
        default_factory=lambda: {
            "backpack": (0.30, 0.18, 0.44),
            "shoulder": (0.13, 0.34, 0.28),
            "hand": (0.12, 0.32, 0.26),
        }
    )
    """By a bag's kind: width, depth and height (m)."""
    gain: tuple[float, float] = (0.88, 1.12)
    """Range of a garment's brightness, relative to the palette's."""
    hue: float = 0.0
    """Greatest difference (turns) between a garment's hue and the palette's."""

    def shade(self, name: str, generator: np.random.Generator) -> Colour:
        """Return the colour of a name, with a small random variation."""
        gain = generator.uniform(*self.gain)
        colour = self.palette[name]
        if self.hue:
            hue, saturation, value = colorsys.rgb_to_hsv(*colour)
            turned = (hue + generator.uniform(-self.hue, self.hue)) % 1.0
            colour = colorsys.hsv_to_rgb(turned, saturation, value)
        return tuple(float(min(0.9, channel * gain)) for channel in colour)

    def cloth(self, name: str, generator: np.random.Generator, folds: float = 1.0) -> Cloth:
        """Return plain cloth of a colour's name."""
        return Cloth(self.shade(name, generator), folds=folds)


STREET = Stock(
    palette=COLOURS,
    tops=(
        "black", "navy", "charcoal", "red", "grey", "white", "olive", "royal", "burgundy", "teal",
        "silver", "bottle", "sky", "plum", "mustard", "denim", "moss",
    ),
    coats=("black", "navy", "charcoal", "bottle", "burgundy", "olive", "espresso", "grey"),
    seconds=("black", "white", "grey", "navy", "silver"),
    inners=("white", "silver", "black", "red", "sky"),
    bottoms=("denim", "black", "navy", "charcoal", "faded denim", "grey", "olive", "espresso"),
    shoes=("black", "white", "espresso", "grey", "navy", "red"),
    light_soles=("white", "grey", "navy", "red"),
    bags=("black", "navy", "charcoal", "burgundy", "olive", "teal", "red", "royal"),
    covers=("black", "navy", "grey", "burgundy", "bottle"),
    light="white",
    dark="black",
    top_kinds=(
        TopKind("jacket", 0.93, 0.13, 0.026, 0.55, (PLAIN, YOKE, PLAIN)),
        TopKind("t-shirt", 0.36, 0.06, 0.014, 0.10, (PLAIN, PRINT, HOOPS)),
        TopKind("coat", 0.95, 0.42, 0.030, 0.60, (PLAIN, PLAIN, CHECKS), coat=True),
        TopKind("sweater", 0.94, 0.08, 0.018, 0.30, (MOTTLED, HOOPS, PLAIN)),
        TopKind("hoodie", 0.95, 0.09, 0.022, 0.45, (PLAIN, PRINT, MOTTLED), hood=True),
        TopKind("shirt", 0.90, 0.10, 0.013, 0.40, (CHECKS, PINSTRIPES, PLAIN), second="collar"),
        TopKind("open jacket", 0.94, 0.14, 0.026, 0.50, (PLAIN, PLAIN, PLAIN), open=True),
        TopKind("parka", 0.95, 0.30, 0.034, 0.65, (PLAIN, PLAIN, YOKE), coat=True, hood=True),
        TopKind("gilet", 0.94, 0.09, 0.024, 0.55, (PLAIN, PLAIN, PLAIN), second="sleeves"),
    ),
    bottom_kinds=(
        BottomKind("jeans", "trousers", 0.97, 0.012, 0.082),
        BottomKind("trousers", "trousers", 0.98, 0.016, 0.092),
        BottomKind("skirt", "skirt", 0.52, 0.020, 0.0),
        BottomKind("slim jeans", "trousers", 0.95, 0.008, 0.064),
        BottomKind("shorts", "trousers", 0.46, 0.016, 0.095),
        BottomKind("joggers", "trousers", 0.96, 0.020, 0.080),
        BottomKind("long skirt", "skirt", 0.78, 0.024, 0.0),
    ),
    women=("long", "bob", "ponytail", "bun", "long", "beanie"),
    men=("short", "short", "short", "beanie", "cap"),
)  # fmt: skip
"""Few cuts and patterns, muted colours."""

VARIED = replace(
    STREET,
    seconds=(*STREET.tops, "black", "white", "grey", "silver"),
    inners=STREET.tops,
    shoes=(*STREET.shoes, "charcoal", "silver", "royal", "olive"),
    bags=STREET.tops,
    top_kinds=(
        TopKind("jacket", 0.93, 0.13, 0.026, 0.55, (PLAIN, YOKE, BAND, PLAIN, DIAGONALS)),
        TopKind("t-shirt", 0.36, 0.06, 0.014, 0.10, (PLAIN, PRINT, HOOPS, BAND, DOTS, PRINT)),
        TopKind("coat", 0.95, 0.42, 0.030, 0.60, (PLAIN, PLAIN, CHECKS), coat=True),
        TopKind("sweater", 0.94, 0.08, 0.018, 0.30, (MOTTLED, HOOPS, PLAIN, BAND, DIAGONALS)),
        TopKind("hoodie", 0.95, 0.09, 0.022, 0.45, (PLAIN, PRINT, MOTTLED, BAND), hood=True),
        TopKind(
            "shirt", 0.90, 0.10, 0.013, 0.40, (CHECKS, PINSTRIPES, PLAIN, DOTS), second="collar"
        ),
        TopKind("open jacket", 0.94, 0.14, 0.026, 0.50, (PLAIN, PLAIN, CHECKS), open=True),
        TopKind("parka", 0.95, 0.30, 0.034, 0.65, (PLAIN, PLAIN, YOKE), coat=True, hood=True),
        TopKind("gilet", 0.94, 0.09, 0.024, 0.55, (PLAIN, YOKE, PLAIN), second="sleeves"),
        TopKind("polo", 0.40, 0.08, 0.016, 0.35, (PLAIN, HOOPS, BAND), second="collar"),
        TopKind("baseball jacket", 0.94, 0.07, 0.028, 0.45, (PLAIN, PRINT), second="sleeves"),
    ),
    bottom_kinds=(
        *STREET.bottom_kinds,
        BottomKind("wide trousers", "trousers", 0.98, 0.020, 0.115),
        BottomKind("cropped jeans", "trousers", 0.82, 0.012, 0.080),
        BottomKind("patterned skirt", "skirt", 0.60, 0.022, 0.0, (CHECKS, DOTS, HOOPS)),
    ),
    gain=(0.7, 1.35),
    hue=0.01,
)
"""The colours of the street in many shades, more cuts and patterns, and bags of every colour."""

HELD_OUT_COLOURS: dict[str, Colour] = {
    "ink": (0.06, 0.07, 0.07),
    "graphite": (0.23, 0.25, 0.24),
    "ash": (0.52, 0.55, 0.53),
    "chalk": (0.80, 0.85, 0.82),
    "orange": (0.84, 0.33, 0.03),
    "lemon": (0.80, 0.74, 0.16),
    "grass": (0.16, 0.48, 0.18),
    "mint": (0.50, 0.78, 0.55),
    "jade": (0.08, 0.50, 0.41),
    "indigo": (0.20, 0.13, 0.42),
    "violet": (0.42, 0.26, 0.66),
    "lilac": (0.66, 0.56, 0.80),
    "magenta": (0.60, 0.08, 0.40),
    "rose": (0.80, 0.40, 0.62),
    "mulberry": (0.34, 0.06, 0.23),
}
HELD_OUT = Stock(
    palette=HELD_OUT_COLOURS,
    tops=(
        "ink", "indigo", "graphite", "orange", "ash", "lemon", "grass", "violet", "chalk",
        "mulberry", "mint", "magenta", "jade", "lilac", "rose",
    ),
    coats=("ink", "graphite", "indigo", "mulberry", "ash", "lemon", "grass"),
    seconds=("chalk", "ink", "lemon", "violet", "grass", "ash"),
    inners=("chalk", "ink", "rose", "mint", "lemon"),
    bottoms=("graphite", "ink", "indigo", "ash", "mulberry", "jade", "chalk"),
    shoes=("ink", "chalk", "graphite", "orange", "violet", "ash"),
    light_soles=("chalk", "orange", "ash"),
    bags=("graphite", "orange", "jade", "indigo", "magenta", "lemon"),
    covers=("indigo", "chalk", "mulberry", "jade", "lilac", "ink"),
    light="chalk",
    dark="ink",
    top_kinds=(
        TopKind("bomber", 0.94, 0.03, 0.036, 0.50, (PLAIN, CAMOUFLAGE, HALVES)),
        TopKind("tunic", 0.70, 0.34, 0.020, 0.15, (PLAIN, BARS, DIP)),
        TopKind("singlet", 0.16, 0.06, 0.012, 0.05, (PLAIN, HALVES, BARS)),
        TopKind("raincoat", 0.96, 0.56, 0.036, 0.65, (PLAIN, PLAIN, DIP), coat=True, hood=True),
        TopKind("blazer", 0.93, 0.18, 0.020, 0.35, (PLAIN, PLAIN, TILES), open=True),
        TopKind("long shirt", 0.60, 0.22, 0.018, 0.30, (PLAIN, BARS, TILES), second="collar"),
        TopKind("cardigan", 0.92, 0.32, 0.018, 0.15, (PLAIN, DIP, PLAIN), open=True),
        TopKind("poncho", 0.80, 0.25, 0.044, 0.30, (BARS, TILES, PLAIN), second="collar"),
    ),
    bottom_kinds=(
        BottomKind("leggings", "trousers", 0.93, 0.005, 0.052),
        BottomKind("flared trousers", "trousers", 0.98, 0.014, 0.130),
        BottomKind("short skirt", "skirt", 0.43, 0.018, 0.0),
        BottomKind("cargo trousers", "trousers", 0.96, 0.028, 0.110, (PLAIN, CAMOUFLAGE)),
        BottomKind("long shorts", "trousers", 0.58, 0.022, 0.110),
        BottomKind("maxi skirt", "skirt", 0.90, 0.026, 0.0, (PLAIN, TILES, DIP)),
    ),
    women=("headscarf", "long", "curls", "bun", "headscarf", "sun hat"),
    men=("short", "short", "curls", "sun hat"),
    bag_sizes={
        "backpack": (0.36, 0.26, 0.62),
        "shoulder": (0.22, 0.50, 0.24),
        "hand": (0.10, 0.44, 0.38),
    },
    hue=0.01,
)  # fmt: skip
"""Other colours, cuts, patterns, headgear and sizes of bags; only greys and hair are shared."""


@dataclass(frozen=True)
class Wardrobe:
    """The garments that all persons of a set choose from."""

    tops: tuple[Top, ...]
    bottoms: tuple[Bottom, ...]
    shoes: tuple[Shoes, ...]
    stock: Stock


def stock_wardrobe(
    tops: int, bottoms: int, shoes: int, generator: np.random.Generator, stock: Stock
) -> Wardrobe:
    """Draw a wardrobe.

    Parameters
    ----------
    tops, bottoms, shoes : int
        How many of each there are.
    generator : numpy.random.Generator
        Source of the choices.
    stock : Stock
        What the garments are made from.

    Returns
    -------
    Wardrobe
        Garments of which neighbours in the list differ in kind and colour.
    """
    return Wardrobe(
        tops=tuple(_top(index, stock, generator) for index in range(tops)),
        bottoms=tuple(_bottom(index, stock, generator) for index in range(bottoms)),
        shoes=tuple(_shoes(index, stock, generator) for index in range(shoes)),
        stock=stock,
    )


def dress(
    wardrobe: Wardrobe, woman: bool, age: float, bags: float, generator: np.random.Generator
) -> Outfit:
    """Choose a person's clothes, hair and bag.

    Parameters
    ----------
    wardrobe : Wardrobe
        The garments to choose from.
    woman : bool
        Skirts and long hair are hers alone here, beards his.
    age : float
        In anny's scale: 0.67 is a young adult, 1 is old; grey hair comes with it.
    bags : float
        Probability of a bag.
    generator : numpy.random.Generator
        Source of the choices.

    Returns
    -------
    Outfit
        The clothes.
    """
    stock = wardrobe.stock
    bottoms = [item for item in wardrobe.bottoms if woman or item.kind == "trousers"]
    # A wardrobe of skirts alone still has to dress the men.
    jeans = Cloth(stock.palette[stock.bottoms[0]])
    bottoms = bottoms or [Bottom("jeans", jeans, "trousers", 0.97, 0.012, leg_width=0.085)]
    return Outfit(
        top=_choose(wardrobe.tops, generator),
        bottom=_choose(bottoms, generator),
        shoes=_choose(wardrobe.shoes, generator),
        head=_head(woman, age, stock, generator),
        bag=_bag(woman, stock, generator) if generator.random() < bags else None,
    )


def _top(index: int, stock: Stock, generator: np.random.Generator) -> Top:
    kind = stock.top_kinds[index % len(stock.top_kinds)]
    colours = stock.coats if kind.coat else stock.tops
    colour = colours[(index * 5 + int(generator.integers(3))) % len(colours)]
    second = stock.shade(
        _choose([other for other in stock.seconds if other != colour], generator), generator
    )
    pattern = _choose(kind.patterns, generator)
    cloth = Cloth(stock.shade(colour, generator), second, pattern, SCALES.get(pattern, 0.1))
    inner = _choose(stock.inners, generator)
    return Top(
        name=f"{colour} {kind.name}",
        cloth=cloth,
        sleeve_cloth=Cloth(second) if kind.second == "sleeves" else cloth,
        collar_cloth=Cloth(second) if kind.second == "collar" else cloth,
        sleeves=kind.sleeves,
        hem=kind.hem,
        ease=kind.ease,
        collar=kind.collar,
        open_front=stock.cloth(inner, generator) if kind.open else None,
        hood=kind.hood,
    )


def _bottom(index: int, stock: Stock, generator: np.random.Generator) -> Bottom:
    kind = stock.bottom_kinds[index % len(stock.bottom_kinds)]
    colour = stock.bottoms[(index * 4 + int(generator.integers(2))) % len(stock.bottoms)]
    cloth = stock.cloth(colour, generator)
    if len(kind.patterns) > 1:
        pattern = _choose(kind.patterns, generator)
        second = stock.shade(_choose(stock.seconds, generator), generator)
        cloth = Cloth(cloth.colour, second, pattern, SCALES.get(pattern, 0.1))
    return Bottom(
        name=f"{colour} {kind.name}",
        cloth=cloth,
        kind=kind.kind,
        length=kind.length,
        ease=kind.ease,
        leg_width=kind.leg_width,
        tights=stock.cloth(stock.dark, generator, folds=0.2) if kind.kind == "skirt" else None,
    )


def _shoes(index: int, stock: Stock, generator: np.random.Generator) -> Shoes:
    colour = stock.shoes[index % len(stock.shoes)]
    boots = index % 3 == 2
    sole = stock.light if colour in stock.light_soles else stock.dark
    return Shoes(
        name=f"{colour} {'boots' if boots else 'shoes'}",
        cloth=stock.cloth(colour, generator, folds=0.3),
        sole=stock.cloth(sole, generator, folds=0.0),
        height=0.26 if boots else 0.09,
    )


def _head(woman: bool, age: float, stock: Stock, generator: np.random.Generator) -> Head:
    tone = int(generator.integers(len(SKIN)))
    # Dark skin with dark hair, grey hair with age.
    hair = int(generator.integers(3)) if tone >= 3 else int(generator.integers(len(HAIR)))
    if age > 0.88 and generator.random() < 0.6:
        hair = 5
    style = _choose(stock.women if woman else stock.men, generator)
    cover = None
    if style in COVERED:
        cover = stock.cloth(_choose(stock.covers, generator), generator, 0.3)
    return Head(
        skin=Cloth(SKIN[tone], folds=0.0),
        hair=Cloth(HAIR[hair], folds=0.5),
        style=style,
        cover=cover,
        beard=not woman and bool(generator.random() < 0.3),
    )


def _bag(woman: bool, stock: Stock, generator: np.random.Generator) -> Bag:
    kind = _choose(
        ("backpack", "shoulder", "hand") if woman else ("backpack", "shoulder"), generator
    )
    size = stock.bag_sizes[kind]
    scale = generator.uniform(0.85, 1.15)
    return Bag(
        kind=kind,
        cloth=stock.cloth(_choose(stock.bags, generator), generator, 0.4),
        size=tuple(float(side * scale) for side in size),
        side=1 if generator.random() < 0.5 else -1,
    )


def _choose(items, generator: np.random.Generator):
    return items[int(generator.integers(len(items)))]
