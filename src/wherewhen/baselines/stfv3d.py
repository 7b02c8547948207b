"""STFV3D: Fisher vectors of body parts in the phases of a walk cycle.

Liu et al., "A Spatio-Temporal Appearance Representation for Video-Based Pedestrian
Re-Identification", ICCV 2015, as Section V-E of the paper summarises it: a clip is cut into walk
cycles, a cycle into phases, and a person into six body parts. A body part in a phase is a
body-action unit, with a mixture of its own; its pixels are described by position, time, colour and
the colour's derivatives in space and time. The units' vectors are concatenated, and a clip's is the
mean over its walk cycles.

Deviations: body parts are boxes at fixed positions of the crop instead of detected ones. A cycle
has four phases of equal length (`phases`). In a clip without a whole cycle the phases are those of
the clip (`wherewhen.baselines.walk_cycles`). Not all pixels are used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wherewhen.baselines.fisher_vectors import FisherBaseline
from wherewhen.baselines.pixels import first_derivative, hsv, intervals, place, second_derivative
from wherewhen.baselines.walk_cycles import STEP_FRAMES, flow_energy, walk_cycles

BODY_PARTS = {
    "head": (0.25, 0.0, 0.75, 0.2),
    "torso": (0.25, 0.2, 0.75, 0.55),
    "left_arm": (0.0, 0.2, 0.3, 0.6),
    "right_arm": (0.7, 0.2, 1.0, 0.6),
    "left_leg": (0.1, 0.55, 0.5, 1.0),
    "right_leg": (0.5, 0.55, 0.9, 1.0),
}
"""Left, top, right and bottom of each body part as shares of the crop; left as in the picture."""


@dataclass(eq=False, kw_only=True)
class STFV3D(FisherBaseline):
    """Fisher vectors of body-action units.

    Parameters
    ----------
    phases : int
        Phases of a walk cycle.
    stride : int
        Distance between the pixels that are used, along width and height.
    step_frames : (int, int)
        Frames of the fastest and of the slowest step.
    size, components, samples, fit_clips, improved, seed
        See `wherewhen.baselines.fisher_vectors.FisherBaseline`.

    See Also
    --------
    wherewhen.baselines.fv2d.FV2D : Without time.

    Examples
    --------
    >>> (units,) = STFV3D().descriptors(np.zeros((8, 128, 64, 3), np.uint8))
    >>> len(units), units[0].shape  # 4 phases, 6 body parts; the head in the first phase
    (24, (416, 24))
    """

    phases: int = 4
    stride: int = 2
    step_frames: tuple[int, int] = STEP_FRAMES

    def descriptors(self, frames: np.ndarray) -> list[list[np.ndarray]]:
        """Position, time, colour and derivatives of pixels by walk cycle and unit: float32 [N, 24].

        Units are phases, and in each the body parts. The entries are x, y and the time in the
        phase (0 to 1); hue, saturation and value; their derivatives along x, y, t, x twice, y
        twice, t twice.
        """
        pixels = self._pixels(frames)
        return [
            [
                unit
                for start, stop in intervals(last - first, self.phases)
                for unit in self._units(pixels[first + start : first + stop])
            ]
            for first, last in walk_cycles(flow_energy(frames), self.step_frames)
        ]

    def _pixels(self, frames: np.ndarray) -> np.ndarray:
        """x, y, colours and derivatives of the pixels that are used: [T, h, w, 23]."""
        colours = hsv(frames)
        thin = np.s_[:, :: self.stride, :: self.stride]
        derived = [
            derivative(colours, axis)[thin]
            for derivative in (first_derivative, second_derivative)
            for axis in (2, 1, 0)
        ]
        y, x = np.meshgrid(
            *(place(extent)[:: self.stride] for extent in frames.shape[1:3]), indexing="ij"
        )
        places = np.broadcast_to(np.stack([x, y], axis=-1), (len(frames), *x.shape, 2))
        return np.concatenate([places, colours[thin], *derived], axis=-1)

    def _units(self, pixels: np.ndarray) -> list[np.ndarray]:
        """Descriptors of a phase, by body part."""
        count, height, width = pixels.shape[:3]
        time = np.broadcast_to(place(count)[:, None, None, None], (count, height, width, 1))
        timed = np.concatenate([pixels[..., :2], time, pixels[..., 2:]], axis=-1)
        return [
            timed[
                :,
                round(top * height) : round(bottom * height),
                round(left * width) : round(right * width),
            ].reshape(-1, timed.shape[-1])
            for left, top, right, bottom in BODY_PARTS.values()
        ]
