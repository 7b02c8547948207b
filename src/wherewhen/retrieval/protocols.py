"""Protocols: which gallery tracklets a probe is ranked against, and which count as its match.

A protocol is one record of `PROTOCOLS`; a new one is added there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

MARS_JUNK = frozenset({"-1", "00-1"})
"""Labels of MARS for tracklets that show no person: in its tables, and as a folder."""


@dataclass(frozen=True)
class Protocol:
    """The rules by which a probe's ranking is judged.

    A true match is a kept gallery tracklet of the probe's person.

    Attributes
    ----------
    name : str
        The name in tables of scores.
    drops_same_camera : bool
        Leave the probe's person in the probe's own camera out of its gallery, the probe itself
        included: finding it again is no re-identification. Other persons in that camera stay.
    drops_queries : bool
        Leave the tracklets that are probes out of everybody's gallery.
    single_match : bool
        Every probe has at most one true match, from another camera; anything else is an error.
    dropped_persons : frozenset of str
        Labels of persons in no ranking (junk).
    searches_probes : bool
        The probes are also gallery tracklets, before anything is dropped.

    See Also
    --------
    wherewhen.retrieval.evaluate : Takes a protocol by name.

    Examples
    --------
    >>> PROTOCOLS["official"].drops_same_camera
    True
    """

    name: str
    drops_same_camera: bool = False
    drops_queries: bool = False
    single_match: bool = False
    dropped_persons: frozenset[str] = frozenset()
    searches_probes: bool = False

    def check_roles(self, probes: Collection[str], gallery: Collection[str]) -> None:
        """Raise a ValueError for the tracklets of a split that was made for another protocol.

        Probes are then missing in a gallery that has to contain them, or are in one where every
        probe has a single match.
        """
        both = len(set(probes) & set(gallery))
        if (self.searches_probes and both < len(set(probes))) or (self.single_match and both):
            expected = "all" if self.searches_probes else "none"
            raise ValueError(
                f"evaluate.protocol is {self.name}, but {both} of {len(set(probes))} probes are in "
                f"the gallery, and {expected} should be: the splits were made for another "
                "protocol. Choose that one, or run the stages from split on with this one"
            )


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        # iLIDS-VID and PRID 2011: probes of one camera, one gallery tracklet a person of the other
        Protocol("single_match", single_match=True),
        # any number of tracklets, cameras and matches
        Protocol("cross_camera", drops_same_camera=True),
        # MARS as its authors evaluate it: all test tracklets are gallery, the probes among them
        # (L. Zheng et al.: MARS: A Video Benchmark for Large-Scale Person Re-identification. 2016)
        Protocol(
            "official", drops_same_camera=True, dropped_persons=MARS_JUNK, searches_probes=True
        ),
        # MARS as torchreid and most papers evaluate it: 140 probes lose their only match
        Protocol(
            "query_excluded",
            drops_same_camera=True,
            drops_queries=True,
            dropped_persons=MARS_JUNK,
            searches_probes=True,
        ),
        # MARS, closest to the paper's wording: one probe and one gallery tracklet a person, drawn
        Protocol("two_camera", single_match=True, dropped_persons=MARS_JUNK),
    )
}
"""The protocols by name."""


def protocol_named(name: str) -> Protocol:
    """Return the protocol of a name; a ValueError for another one lists those there are."""
    if name not in PROTOCOLS:
        raise ValueError(f"no protocol {name!r}: expected one of {', '.join(sorted(PROTOCOLS))}")
    return PROTOCOLS[name]
