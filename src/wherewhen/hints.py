"""Hints for messages: the name that was probably meant."""

from collections.abc import Collection
from difflib import get_close_matches


def did_you_mean(name: str, known: Collection[str], otherwise: str = "") -> str:
    """Ask whether the known name that is most like a given one was meant, else say `otherwise`.

    Examples
    --------
    >>> did_you_mean("prid2012", ["mars", "prid2011"])
    'did you mean prid2011?'
    """
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else otherwise
