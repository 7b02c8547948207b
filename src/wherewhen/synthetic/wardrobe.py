"""The wardrobe of a set, and the choice of outfits.

Garments are few and shared, so that colour alone does not identify a person. Colours that could
pass for skin (beige, camel, pale pink, light brown) hang here on no rail: a coat of that colour
looks like nudity at 64 x 128.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]

PLAIN, HOOPS, PINSTRIPES, CHECKS, MOTTLED, YOKE, PRINT = range(7)
"""Patterns of a cloth; the renderer's kernel knows them by these numbers."""

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
TOP_COLOURS = (
    "black", "navy", "charcoal", "red", "grey", "white", "olive", "royal", "burgundy", "teal",
    "silver", "bottle", "sky", "plum", "mustard", "denim", "moss",
)  # fmt: skip
COAT_COLOURS = ("black", "navy", "charcoal", "bottle", "burgundy", "olive", "espresso", "grey")
BOTTOM_COLOURS = (
    "denim", "black", "navy", "charcoal", "faded denim", "grey", "olive", "espresso",
)  # fmt: skip
SHOE_COLOURS = ("black", "white", "espresso", "grey", "navy", "red")
BAG_COLOURS = ("black", "navy", "charcoal", "burgundy", "olive", "teal", "red", "royal")
HAIR: tuple[Colour, ...] = (
    (0.06, 0.05, 0.05), (0.10, 0.075, 0.06), (0.17, 0.11, 0.08), (0.25, 0.16, 0.10),
    (0.55, 0.43, 0.26), (0.42, 0.41, 0.40), (0.32, 0.14, 0.08),
)  # fmt: skip
SKIN: tuple[Colour, ...] = (
    (0.86, 0.67, 0.57), (0.79, 0.59, 0.48), (0.70, 0.51, 0.40), (0.57, 0.39, 0.29),
    (0.42, 0.28, 0.21), (0.31, 0.20, 0.15),
)  # fmt: skip


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
    """`short`, `bob`, `long`, `ponytail`, `bun`, `beanie`, `cap` or `hood`."""
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


@dataclass(frozen=True)
class Wardrobe:
    """The garments that all persons of a set choose from."""

    tops: tuple[Top, ...]
    bottoms: tuple[Bottom, ...]
    shoes: tuple[Shoes, ...]


def stock_wardrobe(tops: int, bottoms: int, shoes: int, generator: np.random.Generator) -> Wardrobe:
    """Draw a wardrobe.

    Parameters
    ----------
    tops, bottoms, shoes : int
        How many of each there are.
    generator : numpy.random.Generator
        Source of the choices.

    Returns
    -------
    Wardrobe
        Garments of which neighbours in the list differ in kind and colour.
    """
    return Wardrobe(
        tops=tuple(_top(index, generator) for index in range(tops)),
        bottoms=tuple(_bottom(index, generator) for index in range(bottoms)),
        shoes=tuple(_shoes(index, generator) for index in range(shoes)),
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
    bottoms = [item for item in wardrobe.bottoms if woman or item.kind == "trousers"]
    # A wardrobe of skirts alone still has to dress the men.
    bottoms = bottoms or [
        Bottom("jeans", Cloth(COLOURS["denim"]), "trousers", 0.97, 0.012, leg_width=0.085)
    ]
    return Outfit(
        top=_choose(wardrobe.tops, generator),
        bottom=_choose(bottoms, generator),
        shoes=_choose(wardrobe.shoes, generator),
        head=_head(woman, age, generator),
        bag=_bag(woman, generator) if generator.random() < bags else None,
    )


def _choose(items, generator: np.random.Generator):
    return items[int(generator.integers(len(items)))]


def _shade(name: str, generator: np.random.Generator) -> Colour:
    """Return the colour of a name, with a small random variation."""
    gain = generator.uniform(0.88, 1.12)
    return tuple(float(min(0.9, channel * gain)) for channel in COLOURS[name])


def _cloth(name: str, generator: np.random.Generator, folds: float = 1.0) -> Cloth:
    return Cloth(_shade(name, generator), folds=folds)


TOP_KINDS = (
    # name, sleeves, hem, ease, collar, patterns that suit it
    ("jacket", 0.93, 0.13, 0.026, 0.55, (PLAIN, YOKE, PLAIN)),
    ("t-shirt", 0.36, 0.06, 0.014, 0.10, (PLAIN, PRINT, HOOPS)),
    ("coat", 0.95, 0.42, 0.030, 0.60, (PLAIN, PLAIN, CHECKS)),
    ("sweater", 0.94, 0.08, 0.018, 0.30, (MOTTLED, HOOPS, PLAIN)),
    ("hoodie", 0.95, 0.09, 0.022, 0.45, (PLAIN, PRINT, MOTTLED)),
    ("shirt", 0.90, 0.10, 0.013, 0.40, (CHECKS, PINSTRIPES, PLAIN)),
    ("open jacket", 0.94, 0.14, 0.026, 0.50, (PLAIN, PLAIN, PLAIN)),
    ("parka", 0.95, 0.30, 0.034, 0.65, (PLAIN, PLAIN, YOKE)),
    ("gilet", 0.94, 0.09, 0.024, 0.55, (PLAIN, PLAIN, PLAIN)),
)


def _top(index: int, generator: np.random.Generator) -> Top:
    name, sleeves, hem, ease, collar, patterns = TOP_KINDS[index % len(TOP_KINDS)]
    colours = COAT_COLOURS if name in ("coat", "parka") else TOP_COLOURS
    colour = colours[(index * 5 + int(generator.integers(3))) % len(colours)]
    others = [other for other in ("black", "white", "grey", "navy", "silver") if other != colour]
    second = _shade(_choose(others, generator), generator)
    pattern = _choose(patterns, generator)
    scale = {HOOPS: 0.11, PINSTRIPES: 0.07, CHECKS: 0.14, PRINT: 0.2, MOTTLED: 0.03}
    cloth = Cloth(_shade(colour, generator), second, pattern, scale.get(pattern, 0.1))
    sleeve_cloth = Cloth(second) if name == "gilet" else cloth
    inner = _choose(("white", "silver", "black", "red", "sky"), generator)
    return Top(
        name=f"{colour} {name}",
        cloth=cloth,
        sleeve_cloth=sleeve_cloth,
        collar_cloth=Cloth(second) if name == "shirt" else cloth,
        sleeves=sleeves,
        hem=hem,
        ease=ease,
        collar=collar,
        open_front=_cloth(inner, generator) if name == "open jacket" else None,
        hood=name in ("hoodie", "parka"),
    )


BOTTOM_KINDS = (
    # name, kind, length, ease, least radius of the leg at the hem
    ("jeans", "trousers", 0.97, 0.012, 0.082),
    ("trousers", "trousers", 0.98, 0.016, 0.092),
    ("skirt", "skirt", 0.52, 0.020, 0.0),
    ("slim jeans", "trousers", 0.95, 0.008, 0.064),
    ("shorts", "trousers", 0.46, 0.016, 0.095),
    ("joggers", "trousers", 0.96, 0.020, 0.080),
    ("long skirt", "skirt", 0.78, 0.024, 0.0),
)


def _bottom(index: int, generator: np.random.Generator) -> Bottom:
    name, kind, length, ease, leg_width = BOTTOM_KINDS[index % len(BOTTOM_KINDS)]
    colour = BOTTOM_COLOURS[(index * 4 + int(generator.integers(2))) % len(BOTTOM_COLOURS)]
    return Bottom(
        name=f"{colour} {name}",
        cloth=_cloth(colour, generator),
        kind=kind,
        length=length,
        ease=ease,
        leg_width=leg_width,
        tights=_cloth("black", generator, folds=0.2) if kind == "skirt" else None,
    )


def _shoes(index: int, generator: np.random.Generator) -> Shoes:
    colour = SHOE_COLOURS[index % len(SHOE_COLOURS)]
    boots = index % 3 == 2
    sole = "white" if colour in ("white", "grey", "navy", "red") else "black"
    return Shoes(
        name=f"{colour} {'boots' if boots else 'shoes'}",
        cloth=_cloth(colour, generator, folds=0.3),
        sole=_cloth(sole, generator, folds=0.0),
        height=0.26 if boots else 0.09,
    )


def _head(woman: bool, age: float, generator: np.random.Generator) -> Head:
    tone = int(generator.integers(len(SKIN)))
    # Dark skin with dark hair, grey hair with age.
    hair = int(generator.integers(3)) if tone >= 3 else int(generator.integers(len(HAIR)))
    if age > 0.88 and generator.random() < 0.6:
        hair = 5
    styles = ("long", "bob", "ponytail", "bun", "long", "beanie") if woman else (
        "short", "short", "short", "beanie", "cap")  # fmt: skip
    style = _choose(styles, generator)
    cover = None
    if style in ("beanie", "cap"):
        cover = _cloth(
            _choose(("black", "navy", "grey", "burgundy", "bottle"), generator), generator, 0.3
        )
    return Head(
        skin=Cloth(SKIN[tone], folds=0.0),
        hair=Cloth(HAIR[hair], folds=0.5),
        style=style,
        cover=cover,
        beard=not woman and bool(generator.random() < 0.3),
    )


def _bag(woman: bool, generator: np.random.Generator) -> Bag:
    kind = _choose(
        ("backpack", "shoulder", "hand") if woman else ("backpack", "shoulder"), generator
    )
    size = {
        "backpack": (0.30, 0.18, 0.44),
        "shoulder": (0.13, 0.34, 0.28),
        "hand": (0.12, 0.32, 0.26),
    }[kind]
    scale = generator.uniform(0.85, 1.15)
    return Bag(
        kind=kind,
        cloth=_cloth(_choose(BAG_COLOURS, generator), generator, 0.4),
        size=tuple(float(side * scale) for side in size),
        side=1 if generator.random() < 0.5 else -1,
    )
