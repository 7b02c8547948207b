"""Changes to a file's bytes, as bad disks and bad people make them."""

from __future__ import annotations

import random

LARGE = (
    *(
        (sign * 2**bits + more).to_bytes(size, "little", signed=True)
        for size, bits in ((4, 30), (8, 62), (8, 40))
        for sign in (1, -1)
        for more in (0, 1)
    ),
    *(b"\xff" * 4, b"\xff" * 8, b"\0" * 8),
)
"""Numbers that a file should not have as a size."""

WORDS = (
    *(b"null", b"NaN", b"-1", b"1e999", b"[]", b"{}", b'""', b"true", b"9" * 30),
    *(b"..", b"/", b",", b"\n", b"\0"),
)
"""Texts that a list or table should not have everywhere."""


def mutated(content: bytes, seed: int) -> bytes:
    """Return some bytes after one to four changes that follow from a seed."""
    draw, out = random.Random(seed), bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 4))):
        at = draw.randrange(len(out) + 1)
        length = draw.choice((1, 1, 4, 8, 64))
        match draw.randrange(8):
            case 0:
                del out[at:]
            case 1 if at < len(out):
                out[at] ^= 1 << draw.randrange(8)
            case 2 if at < len(out):
                out[at] = draw.randrange(256)
            case 3:
                del out[at : at + length]
            case 4:
                out[at:at] = draw.randbytes(length)
            case 5:
                large = draw.choice(LARGE)
                out[at : at + len(large)] = large
            case 6:
                out[at : at + draw.choice((0, 1, 4))] = draw.choice(WORDS)
            case 7:
                other = draw.randrange(len(out) + 1)
                out[at : at + length] = out[other : other + length]
    return bytes(out)
