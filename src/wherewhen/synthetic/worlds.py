"""Worlds: what people wear, where they walk and what hides them.

`street` is the demonstration's. `varied` has its colours in many more shades, more cuts, patterns
and places, and wider ranges of bodies and gaits: networks learn from it. `held_out` shares none of
the chromatic colours, cuts, patterns, headgear, places and occluders with the two others but
walkers, greys and hair, and has default cameras of its own: it stands for footage unlike what was
learned from, so no setting may be chosen on it.
"""

from __future__ import annotations

from dataclasses import dataclass

from wherewhen.synthetic import occluders, wardrobe


@dataclass(frozen=True)
class World:
    """What differs between worlds beside the cameras."""

    stock: wardrobe.Stock
    places: tuple[str, ...]
    """Kinds of `scenes.PLACES`."""
    occluders: tuple[int, ...]
    """Kinds of `occluders`."""
    spread: float = 1.0
    """How wide the ranges of bodies and gaits are, relative to the street's."""


WORLDS = {
    "street": World(
        wardrobe.STREET, ("street",), (occluders.POST, occluders.SIGN, occluders.WALKER)
    ),
    "varied": World(
        wardrobe.VARIED,
        ("street", "park", "hall", "square", "car_park"),
        (occluders.POST, occluders.SIGN, occluders.WALKER),
        spread=1.4,
    ),
    "held_out": World(
        wardrobe.HELD_OUT,
        ("platform", "market", "yard", "winter"),
        (occluders.RAILING, occluders.BUSH, occluders.CART, occluders.WALKER),
        spread=1.4,
    ),
}
"""The worlds by name."""
