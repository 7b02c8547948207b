"""FV3D: the local histograms of HOG3D, encoded by Fisher vectors instead of concatenated.

As in Section V-E of the paper, after Liu et al., "A Spatio-Temporal Appearance Representation for
Video-Based Pedestrian Re-Identification", ICCV 2015: a histogram of gradients for each cell of a
regular grid over a walk cycle (`wherewhen.baselines.hog3d`), all encoded by one mixture.

Deviations: the paper gives no size of the grid; 6 x 12 cells in space and 6 in time are this
project's choice. Each histogram is normalised to length 1 and followed by the position of its cell,
without which a Fisher vector of one mixture could not tell a head from a foot.
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
    cells, overlap, blocks, signed, step_frames
        See `wherewhen.baselines.hog3d.HOG3D`.
    size, components, samples, fit_clips, improved, seed
        See `wherewhen.baselines.fisher_vectors.FisherBaseline`.

    See Also
    --------
    wherewhen.baselines.hog3d.HOG3D : Concatenates the histograms.

    Examples
    --------
    >>> ((cells,),) = FV3D().descriptors(np.zeros((5, 128, 64, 3), np.uint8))
    >>> cells.shape  # 6 x 12 x 6 cells
    (432, 23)
    """

    cells: tuple[int, int, int] = (6, 12, 6)
    overlap: float = 0.5
    blocks: int = 2
    signed: bool = True
    step_frames: tuple[int, int] = STEP_FRAMES

    def descriptors(self, frames: np.ndarray) -> list[list[np.ndarray]]:
        """Histogram and position of each cell, by walk cycle in one region: float64 [cells, 23].

        The entries are 20 directions (10 if not signed) and the cell's centre in time, height and
        width (0 to 1).
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
