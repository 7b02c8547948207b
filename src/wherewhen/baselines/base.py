"""What every baseline is: fitted on the training persons' clips, it turns frames into a vector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Clip:
    """Frames of a tracklet whose person is known, read when they are needed.

    Attributes
    ----------
    tracklet, person, camera
        Whose frames these are, as the tables name them.
    frames
        Reads them: uint8, [T, H, W, 3], RGB.
    """

    tracklet: str
    person: str
    camera: str
    frames: Callable[[], np.ndarray]


class Baseline(ABC):
    """A rival of the network that looks at raw frames."""

    def fit(self, clips: Sequence[Clip]) -> Self:
        """Learn from the training persons; what has nothing to learn inherits this.

        Parameters
        ----------
        clips
            Clips of training persons, several a tracklet.
        """
        return self

    @abstractmethod
    def describe(self, frames: np.ndarray) -> np.ndarray:
        """Turn frames into a vector.

        Parameters
        ----------
        frames
            uint8, [T, H, W, 3], RGB, any T.

        Returns
        -------
        numpy.ndarray
            float64, [D]; D does not depend on T.
        """
