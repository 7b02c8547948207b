"""What the frames of a batch are known to show, where people are rendered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wherewhen.tracklets.clips import cyclic_positions
from wherewhen.training.transfer import move

if TYPE_CHECKING:  # a benchmark on a bare machine has no pandas
    from wherewhen.tracklets.windows import Clip
    from wherewhen.training.pasting import Paste


class Shown(NamedTuple):
    """What frames show, of N clips or of one tracklet (then without N, as arrays)."""

    person: Tensor
    """``[N, T, H, W]``: share of each cell that shows the clip's person."""
    visible: Tensor
    """``[N, T]``: visible share of the person; 0 where somebody else was pasted."""


class Guide:
    """Looks up what clips show.

    Parameters
    ----------
    person, visible
        By tracklet, ``[frames, H, W]`` and ``[frames]``, as in `Shown`.

    See Also
    --------
    wherewhen.training.losses.guidance : The loss that compares attention and frame weights with it.
    """

    def __init__(self, person: Mapping[str, NDArray], visible: Mapping[str, NDArray]) -> None:
        self.person = person
        self.visible = visible

    def of(
        self,
        windows: Sequence[Clip],
        frames: int,
        pastes: Sequence[Paste],
        device: torch.device,
    ) -> Shown:
        """Return what clips of so many frames show after pasting: there nothing of their person.

        Raises
        ------
        KeyError
            If it is not known of a tracklet.
        """
        places = [
            np.array(window.positions)[cyclic_positions(0, window.length, frames)[0]]
            for window in windows
        ]
        clips = [(window.tracklet, place) for window, place in zip(windows, places, strict=True)]
        person = np.stack([self.person[name][place] for name, place in clips]).astype(np.float32)
        visible = np.stack([self.visible[name][place] for name, place in clips]).astype(np.float32)
        for each in pastes:
            part = (each.clip, each.frames, each.rows, each.columns)
            hidden = person[part].sum((1, 2))
            whole = person[each.clip, each.frames].sum((1, 2))
            person[part] = 0
            visible[each.clip, each.frames] *= 1 - hidden / np.maximum(whole, 1e-6)
        return Shown(*(move(torch.from_numpy(values), device) for values in (person, visible)))
