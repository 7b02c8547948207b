"""Interface of the baselines; importing it imports no NumPy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Clip:
    """A labelled clip whose frames are read on demand.

    Attributes
    ----------
    tracklet, person, camera : str
        Names as in the tables.
    frames : callable
        Reads the frames: uint8 [T, H, W, 3], RGB.

    See Also
    --------
    Baseline : Is fitted on clips.

    Examples
    --------
    >>> import numpy as np
    >>> clip = Clip("a/1", "1", "a", lambda: np.zeros((4, 128, 64, 3), np.uint8))
    >>> clip.person, clip.frames().shape
    ('1', (4, 128, 64, 3))
    """

    tracklet: str
    person: str
    camera: str
    frames: Callable[[], np.ndarray]


class Baseline(ABC):
    """A method that computes one vector from the raw frames of a clip.

    See Also
    --------
    wherewhen.baselines.describe.build_baseline : Builds one by name.

    Examples
    --------
    >>> class MeanColour(Baseline):
    ...     def describe(self, frames):
    ...         return frames.mean(axis=(0, 1, 2))
    >>> import numpy as np
    >>> MeanColour().fit([]).describe(np.full((4, 128, 64, 3), 7, np.uint8)).tolist()
    [7.0, 7.0, 7.0]
    """

    def fit(self, clips: Sequence[Clip]) -> Self:
        """Learn from clips of training persons, several a tracklet; by default nothing."""
        return self

    @abstractmethod
    def describe(self, frames: np.ndarray) -> np.ndarray:
        """Compute the vector of a clip.

        Parameters
        ----------
        frames : numpy.ndarray, uint8 [T, H, W, 3]
            RGB, any T.

        Returns
        -------
        numpy.ndarray, float64 [D]
            D does not depend on T.
        """
