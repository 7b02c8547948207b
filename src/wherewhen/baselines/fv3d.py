"""FV3D: HOG3D's local histograms, encoded by Fisher vectors instead of laid side by side.

As Section V-E of the paper has it, after Liu et al., "A Spatio-Temporal Appearance Representation
for Video-Based Pedestrian Re-Identification", ICCV 2015: on a regular grid over each walk cycle a
histogram of gradients a cell (`wherewhen.baselines.hog3d`), all of them encoded by one mixture.

Deviations. The paper gives no size of the grid: 6 x 12 cells in space and 6 in time are this
project's choice. Each histogram is scaled to length 1 and followed by its cell's place, without
which a Fisher vector of one mixture would not know a head from a foot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wherewhen.baselines.fisher_vectors import FisherBaseline
from wherewhen.baselines.hog3d import cell_bounds, cell_histograms, clip_gradients, unit
from wherewhen.baselines.walk_cycles import STEP_FRAMES, flow_energy, walk_cycles


@dataclass(eq=False, kw_only=True)
class FV3D(FisherBaseline):
    """Fisher vectors of local histograms of gradients of walk cycles.

    Parameters
    ----------
    cells
        Along width, height and time.
    overlap
        Share of a cell that the next one covers.
    blocks
        Blocks a cell along each of the three.
    signed
        Tell a gradient from its opposite.
    step_frames
        Frames that the fastest and the slowest step last.
    size, components, samples, fit_clips, improved, seed
        As of `wherewhen.baselines.fisher_vectors.FisherBaseline`.
    """

    cells: tuple[int, int, int] = (6, 12, 6)
    overlap: float = 0.5
    blocks: int = 2
    signed: bool = True
    step_frames: tuple[int, int] = STEP_FRAMES

    def descriptors(self, frames: np.ndarray) -> list[list[np.ndarray]]:
        """Histogram and place of each cell of each walk cycle; there is one region.

        Parameters
        ----------
        frames
            uint8, [T, height, width, 3], RGB.

        Returns
        -------
        list of list of numpy.ndarray
            By walk cycle: float64, [cells, 23], namely 20 directions (10 if not signed) and the
            cell's centre in time, height and width (0 to 1).
        """
        gradients = clip_gradients(frames)
        centres = [cell_bounds(count, self.overlap).mean(1) for count in self.cells[::-1]]
        places = np.stack(np.meshgrid(*centres, indexing="ij"), axis=-1)
        found = []
        for cycle in walk_cycles(flow_energy(frames), self.step_frames):
            histograms = cell_histograms(
                gradients[slice(*cycle)], self.cells, self.overlap, self.blocks, self.signed
            )
            together = np.concatenate([unit(histograms), places], axis=-1)
            found.append([together.reshape(-1, together.shape[-1])])
        return found
