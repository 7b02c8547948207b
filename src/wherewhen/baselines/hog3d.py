"""HOG3D: histograms of gradients in space and time over the cells of a walk cycle.

The descriptor of Kläser et al., "A Spatio-Temporal Descriptor Based on 3D-Gradients", BMVC 2008, on
the walk cycles of Wang et al., "Person Re-Identification by Video Ranking", ECCV 2014, as Section
V-E of the paper has it: 2 x 5 cells in space and 2 in time that overlap by half, a histogram each,
concatenated.

A cell's gradients are averaged over blocks. A block votes for the faces of an icosahedron that its
mean gradient points to. The vector of a fragment is scaled to length 1, its entries are cut, and it
is scaled again; a clip's is the mean over its fragments.

Deviations. Blocks are averaged by exact overlap with pixels instead of from an integral video, so
that cells need not end at a pixel's border and any number of frames will do. The paper doesn't say
whether "2 x 5 x 2 cells" counts the overlapping ones: here it does. Discriminative ranking of
fragments (DVR) is no part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from wherewhen.baselines.base import Baseline
from wherewhen.baselines.pixels import SIZE, first_derivative, grey, to_size
from wherewhen.baselines.walk_cycles import STEP_FRAMES, flow_energy, walk_cycles


def icosahedron_faces() -> np.ndarray:
    """Directions of the faces of an icosahedron.

    Returns
    -------
    numpy.ndarray
        float64, [20, 3], of length 1; the last ten are opposite to the first ten.
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
    """Share each gradient among the directions it points to (Kläser et al., Section 2.2).

    Parameters
    ----------
    gradients
        float, [..., 3].
    directions
        float, [B, 3], of length 1.
    threshold
        Cosine below which a gradient has nothing to do with a direction.
    signed
        Tell a gradient from its opposite.

    Returns
    -------
    numpy.ndarray
        float64, [..., B]; a gradient's votes are as long as itself.
    """
    lengths = np.linalg.norm(gradients, axis=-1, keepdims=True)
    tiny = np.finfo(float).tiny
    cosines = gradients @ directions.T / np.maximum(lengths, tiny)
    beyond = np.maximum((cosines if signed else np.abs(cosines)) - threshold, 0.0)
    return beyond * lengths / np.maximum(np.linalg.norm(beyond, axis=-1, keepdims=True), tiny)


def cell_bounds(cells: int, overlap: float) -> np.ndarray:
    """Where equal cells lie that cover an axis and overlap their neighbours.

    Parameters
    ----------
    cells
        How many.
    overlap
        Share of a cell's length that the next one covers.

    Returns
    -------
    numpy.ndarray
        float64, [cells, 2]: start and stop of each, of an axis from 0 to 1.

    Raises
    ------
    ValueError
        If there are no cells, or one lies where the next does.
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
    """Weights by which the blocks of each cell average an axis.

    Parameters
    ----------
    extent
        Pixels, or frames, of the axis.
    bounds
        As of `cell_bounds`.
    blocks
        Blocks a cell.

    Returns
    -------
    numpy.ndarray
        float64, [cells * blocks, extent]; rows sum to 1.

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
    covered = np.minimum(stops, pixel + 1) - np.maximum(starts, pixel)
    covered = np.maximum(covered, 0.0)
    return covered / covered.sum(1, keepdims=True)


def cell_histograms(
    gradients: np.ndarray,
    cells: tuple[int, int, int],
    overlap: float,
    blocks: int,
    signed: bool,
) -> np.ndarray:
    """Histograms of gradients of the cells of a volume.

    Parameters
    ----------
    gradients
        float, [T, H, W, 3]: along width, height and time.
    cells
        How many along width, height and time.
    overlap
        Share of a cell that the next one covers.
    blocks
        Blocks a cell along each of the three.
    signed
        Tell a gradient from its opposite: 20 faces instead of 10.

    Returns
    -------
    numpy.ndarray
        float64, [cells in time, cells in height, cells in width, 20 or 10].
    """
    along_x, along_y, along_t = (
        block_means(extent, cell_bounds(count, overlap), blocks)
        for extent, count in zip(gradients.shape[2::-1], cells, strict=True)
    )
    means = np.einsum("at,thwc->ahwc", along_t, gradients, optimize=True)
    means = np.einsum("bh,ahwc->abwc", along_y, means, optimize=True)
    means = np.einsum("dw,abwc->abdc", along_x, means, optimize=True)
    faces = icosahedron_faces()
    threshold = np.sort(faces @ faces[0])[-2]  # full votes for a face leave nothing to the next
    histograms = votes(means, faces if signed else faces[:10], threshold, signed)
    of_cells = [part for count in cells[::-1] for part in (count, blocks)]
    return histograms.reshape(*of_cells, -1).mean(axis=(1, 3, 5))


def clip_gradients(frames: np.ndarray) -> np.ndarray:
    """Gradients of the lightness in space and time.

    Parameters
    ----------
    frames
        uint8, [T, H, W, 3], RGB.

    Returns
    -------
    numpy.ndarray
        float64, [T, H, W, 3]: along width, height and time, a pixel or a frame the unit.
    """
    shades = grey(frames).astype(np.float64) / 255
    return np.stack([first_derivative(shades, axis) for axis in (2, 1, 0)], axis=-1)


@dataclass(eq=False)
class HOG3D(Baseline):
    """Concatenated histograms of gradients of walk cycles.

    Parameters
    ----------
    size
        Width and height to which frames are brought.
    cells
        Along width, height and time.
    overlap
        Share of a cell that the next one covers.
    blocks
        Blocks a cell along each of the three.
    signed
        Tell a gradient from its opposite.
    cut
        Where entries of a fragment's vector of length 1 are cut (Kläser et al.: 0.25).
    step_frames
        Frames that the fastest and the slowest step last.
    """

    size: tuple[int, int] = SIZE
    cells: tuple[int, int, int] = (2, 5, 2)
    overlap: float = 0.5
    blocks: int = 3
    signed: bool = True
    cut: float = 0.25
    step_frames: tuple[int, int] = STEP_FRAMES

    def describe(self, frames: np.ndarray) -> np.ndarray:
        """Average the histograms of walk cycles: [cells x 20].

        Time is slowest, then height, width, direction; 0 for frames without any gradient.
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
    """Scale vectors to length 1, and leave those without length alone.

    Parameters
    ----------
    vectors
        float, [..., D].

    Returns
    -------
    numpy.ndarray
        float, [..., D].
    """
    return vectors / np.maximum(
        np.linalg.norm(vectors, axis=-1, keepdims=True), np.finfo(float).tiny
    )
