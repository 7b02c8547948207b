"""Heights and widths: of a grid in cells, of a picture in pixels."""

from __future__ import annotations

from collections.abc import Sequence

Size = tuple[int, int]
"""Height and width."""


def as_size(given: int | Sequence[int]) -> Size:
    """Read a height and a width; one number stands for both.

    Raises
    ------
    ValueError
        If they are no positive whole numbers.

    Examples
    --------
    >>> as_size(7), as_size([16, 8])
    ((7, 7), (16, 8))

    See Also
    --------
    as_recorded : The way back.
    """
    sides = (given, given) if type(given) is int else given
    whole = isinstance(sides, Sequence) and all(type(side) is int and side > 0 for side in sides)
    if not whole or len(sides) != 2:
        raise ValueError(f"expected a height and a width, or one number for both, got {given!r}")
    return sides[0], sides[1]


def as_recorded(size: Size) -> int | list[int]:
    """Return a size as files and records hold it: one number for a square.

    Records of squares are those of versions that knew nothing else, and so are their fingerprints.

    Examples
    --------
    >>> as_recorded((7, 7)), as_recorded((16, 8))
    (7, [16, 8])
    """
    height, width = size
    return height if height == width else [height, width]


def times(size: Size) -> str:
    """Write a size out.

    Examples
    --------
    >>> times((16, 8))
    '16 x 8'
    """
    return f"{size[0]} x {size[1]}"
