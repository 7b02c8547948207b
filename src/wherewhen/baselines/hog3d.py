"""HOG3D: histograms of gradients in space and time over the cells of a walk cycle.

The descriptor of Kläser et al., "A Spatio-Temporal Descriptor Based on 3D-Gradients", BMVC 2008, on
the walk cycles of Wang et al., "Person Re-Identification by Video Ranking", ECCV 2014, as in
Section V-E of the paper: 2 x 5 cells in space and 2 in time that overlap by half, a histogram each,
concatenated.

The gradients of a cell are averaged over blocks. A block votes for the faces of an icosahedron that
its mean gradient points to. The vector of a fragment (a walk cycle) is normalised to length 1, its
entries are clipped, and it is normalised again; a clip's is the mean over its fragments.

Deviations: blocks are averaged by exact overlap with pixels instead of from an integral video, so
that cells need not end at pixel borders and any number of frames will do. The paper does not say
whether "2 x 5 x 2 cells" includes the overlapping ones; here it does. Discriminative ranking of
fragments (DVR) is not part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from wherewhen.baselines.base import Baseline
from wherewhen.baselines.pixels import SIZE, first_derivative, grey, to_size
from wherewhen.baselines.walk_cycles import STEP_FRAMES, flow_energy, walk_cycles

_TINY = np.finfo(float).tiny


def icosahedron_faces() -> np.ndarray:
    """Return the normals of an icosahedron's faces, float64 [20, 3].

    They have length 1, and the last ten are opposite to the first ten.
    """
    golden = (1 + 5**0.5) / 2
    corners = [(1.0, y, z) for y, z in product((-1, 1), repeat=2)]
    edges = [(0.0, 1 / golden, golden), (0.0, -1 / golden, golden)]
    half = corners + [tuple(np.roll(edge, turn)) for edge in edges for turn in range(3)]
    faces = np.array(half) / 3**0.5
    return np.concatenate([faces, -faces])


def votes(
    gradients: np.ndarray, directions: np.ndarray, threshold: float, signed: bool = True
) -> np.ndarray:
    """Divide gradients [..., 3] among directions [B, 3] of length 1 (Kläser et al., Section 2.2).

    Up to the cosine `threshold` a direction gets no vote; `signed` distinguishes a gradient from
    its opposite. The vector of votes, float64 [..., B], is as long as the gradient.
    """
    lengths = np.linalg.norm(gradients, axis=-1, keepdims=True)
    cosines = gradients @ directions.T / np.maximum(lengths, _TINY)
    beyond = np.maximum((cosines if signed else np.abs(cosines)) - threshold, 0.0)
    return beyond * lengths / np.maximum(np.linalg.norm(beyond, axis=-1, keepdims=True), _TINY)


def cell_bounds(cells: int, overlap: float) -> np.ndarray:
    """Return start and stop, float64 [cells, 2], of equal cells that cover an axis from 0 to 1.

    `overlap` is the share of a cell that the next one covers.

    Raises
    ------
    ValueError
        Unless there is a cell and 0 <= overlap < 1.
    """
    if cells < 1 or not 0 <= overlap < 1:
        raise ValueError(
            f"cells are {cells} and overlap is {overlap}: expected at least 1 cell along each of "
            f"width, height and time, and 0 <= overlap < 1"
        )
    length = 1 / (1 + (cells - 1) * (1 - overlap))
    starts = np.arange(cells) * length * (1 - overlap)
    return np.stack([starts, starts + length], axis=1)


def block_means(extent: int, bounds: np.ndarray, blocks: int) -> np.ndarray:
    """Return the weights, float64 [cells blocks, extent], by which blocks average an axis.

    `extent` is the number of pixels or frames, `bounds` are from `cell_bounds`, and each cell has
    `blocks` blocks. The rows sum to 1.

    Raises
    ------
    ValueError
        If there are no blocks.
    """
    if blocks < 1:
        raise ValueError(f"blocks is {blocks}: expected at least 1")
    edges = np.linspace(bounds[:, 0], bounds[:, 1], blocks + 1, axis=1) * extent
    starts, stops = edges[:, :-1].reshape(-1, 1), edges[:, 1:].reshape(-1, 1)
    pixel = np.arange(extent)
    covered = np.maximum(np.minimum(stops, pixel + 1) - np.maximum(starts, pixel), 0.0)
    return covered / covered.sum(1, keepdims=True)


def cell_histograms(
    gradients: np.ndarray,
    cells: tuple[int, int, int],
    overlap: float,
    blocks: int,
    signed: bool,
) -> np.ndarray:
    """Compute the histograms of the cells of a volume from `clip_gradients`; see `HOG3D`.

    They are float64 [cells in time, cells in height, cells in width, 20 or 10].
    """
    along_x, along_y, along_t = (
        block_means(extent, cell_bounds(count, overlap), blocks)
        for extent, count in zip(gradients.shape[2::-1], cells, strict=True)
    )
    means = np.einsum("at,thwc->ahwc", along_t, gradients, optimize=True)
    means = np.einsum("bh,ahwc->abwc", along_y, means, optimize=True)
    means = np.einsum("dw,abwc->abdc", along_x, means, optimize=True)
    faces = icosahedron_faces()
    threshold = np.sort(faces @ faces[0])[-2]  # a gradient along a face has no vote for the next
    histograms = votes(means, faces if signed else faces[:10], threshold, signed)
    of_cells = [part for count in cells[::-1] for part in (count, blocks)]
    return histograms.reshape(*of_cells, -1).mean(axis=(1, 3, 5))


def clip_gradients(frames: np.ndarray) -> np.ndarray:
    """Compute the gradients of the lightness (0 to 1) of frames, uint8 [T, H, W, 3].

    They are float64 [T, H, W, 3]: along width, height (by pixel) and time (by frame).
    """
    shades = grey(frames).astype(np.float64) / 255
    return np.stack([first_derivative(shades, axis) for axis in (2, 1, 0)], axis=-1)


@dataclass(eq=False)
class HOG3D(Baseline):
    """Concatenated histograms of gradients of walk cycles.

    Parameters
    ----------
    size : (int, int)
        Width and height to which frames are resized.
    cells : (int, int, int)
        Cells along width, height and time.
    overlap : float
        Share of a cell that the next one covers.
    blocks : int
        Blocks of a cell along each of the three axes.
    signed : bool
        Distinguish a gradient from its opposite: 20 directions instead of 10.
    cut : float
        Where entries of a fragment's vector of length 1 are clipped (Kläser et al.: 0.25).
    step_frames : (int, int)
        Frames of the fastest and of the slowest step.

    See Also
    --------
    wherewhen.baselines.fv3d.FV3D : Encodes the histograms by Fisher vectors.

    Examples
    --------
    >>> frames = np.random.default_rng(0).integers(0, 256, (5, 128, 64, 3), dtype=np.uint8)
    >>> HOG3D().describe(frames).shape  # 2 x 5 x 2 cells
    (400,)
    """

    size: tuple[int, int] = SIZE
    cells: tuple[int, int, int] = (2, 5, 2)
    overlap: float = 0.5
    blocks: int = 3
    signed: bool = True
    cut: float = 0.25
    step_frames: tuple[int, int] = STEP_FRAMES

    def describe(self, frames: np.ndarray) -> np.ndarray:
        """Mean of the walk cycles' histograms, float64 [cells 20]; 0 without any gradient.

        Time varies slowest, then height, width and direction.
        """
        frames = to_size(frames, self.size)
        gradients = clip_gradients(frames)
        cycles = walk_cycles(flow_energy(frames), self.step_frames)
        return np.mean([self._fragment(gradients[slice(*cycle)]) for cycle in cycles], axis=0)

    def _fragment(self, gradients: np.ndarray) -> np.ndarray:
        vector = cell_histograms(
            gradients, self.cells, self.overlap, self.blocks, self.signed
        ).ravel()
        return unit(np.minimum(unit(vector), self.cut))


def unit(vectors: np.ndarray) -> np.ndarray:
    """Normalise vectors [..., D] to length 1; vectors of length 0 stay 0."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _TINY)
