"""Posing of a dressed body and ray casting with warp, on the CPU.

One mesh a tracklet: its points are skinned in place frame by frame and its bounding volumes
refitted, never rebuilt. Rays are cast where they tell something new: through the pixels of a
chess-board, through the others unless the four around them met the same, and between neighbours
that met different things, which smooths the edges. A ray that misses looks whether the person's
shadow falls where it meets the ground. Kernels run without Python's lock, so threads render side by
side.
"""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from wherewhen.synthetic.tailoring import Dressed


@dataclass(frozen=True)
class View:
    """Camera pose and crop of each frame of a tracklet.

    Attributes
    ----------
    origins : numpy.ndarray
        Place of the camera, [frames, 3] (m).
    axes : numpy.ndarray
        Its right, up and forward, [frames, 3, 3].
    corners : numpy.ndarray
        Left and upper edge of the box in the image plane at distance 1, [frames, 2].
    steps : numpy.ndarray
        Size of a pixel in that plane, [frames].
    suns : numpy.ndarray
        Direction towards the light, [frames, 3].
    """

    origins: np.ndarray
    axes: np.ndarray
    corners: np.ndarray
    steps: np.ndarray
    suns: np.ndarray


@dataclass(frozen=True)
class Layers:
    """Layers of the rendered person, without background.

    Attributes
    ----------
    colour : numpy.ndarray
        Red, green, blue (already multiplied by coverage) and coverage, float32
        [frames, height, width, 4], 0 to 1.
    shadow : numpy.ndarray
        How much of the light the person keeps from the ground, float32 [frames, height, width].
    """

    colour: np.ndarray
    shadow: np.ndarray


_COMPILING = threading.Lock()


def kernels() -> SimpleNamespace:
    """Define and compile the kernels, once a process; warp keeps the machine code in its cache."""
    with _COMPILING:
        return _kernels()


@contextlib.contextmanager
def _no_word_on_missing_drivers() -> Iterator[None]:
    """Suppress warp's message about a missing CUDA driver, which ignores its log level.

    Whatever else is written to the process's standard error meanwhile is handed on afterwards.
    """
    try:
        stderr = os.dup(2)
    except OSError:  # the process has none
        yield
        return
    with tempfile.TemporaryFile() as kept:
        try:
            os.dup2(kept.fileno(), 2)
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            kept.seek(0)
            for line in kept:
                if b"find or load the NVIDIA CUDA driver" not in line:
                    os.write(2, line)


@functools.cache
def _kernels() -> SimpleNamespace:
    import warp as wp

    wp.config.log_level = wp.LOG_ERROR  # no banner
    with _no_word_on_missing_drivers():
        wp.init()

    from wherewhen.synthetic import warp_kernels

    wp.load_module(warp_kernels, device="cpu")
    return SimpleNamespace(
        wp=wp,
        Scene=warp_kernels.Scene,
        skin=warp_kernels.skin,
        look=warp_kernels.look,
        border=warp_kernels.border,
        shade=warp_kernels.shade,
    )


class Renderer:
    """Casts rays at one dressed body.

    Parameters
    ----------
    dressed : Dressed
        From `dress_body`.
    rebuild : bool
        Build the mesh anew for each frame instead of refitting it; for the benchmark.
    """

    def __init__(self, dressed: Dressed, rebuild: bool = False) -> None:
        self._kernels = kernels()
        self._rebuild = rebuild
        # Half of the body's vertices belong to no face that is left: they need no skinning.
        used, faces = np.unique(dressed.faces.reshape(-1), return_inverse=True)
        self._rest = self._array(dressed.vertices[used], "vec3")
        self._bones = self._array(dressed.weight_bones[used], "vec4i")
        self._weights = self._array(dressed.weights[used], "vec4")
        self._materials = self._array(dressed.materials, "int32")
        self._faces = self._array(faces.reshape(-1), "int32")
        cloths = dressed.cloths
        self._colours = self._array(np.array([c.colour for c in cloths]), "vec3")
        self._seconds = self._array(np.array([c.second for c in cloths]), "vec3")
        kinds = np.array([[c.pattern, c.scale, c.folds] for c in cloths])
        self._kinds = self._array(kinds, "vec3")
        self._mesh = None

    def _array(self, values: np.ndarray, kind: str):
        wp = self._kernels.wp
        dtype = np.int32 if kind in ("int32", "vec4i") else np.float32
        return wp.array(np.ascontiguousarray(values, dtype), dtype=getattr(wp, kind), device="cpu")

    def render(
        self,
        transforms: np.ndarray,
        view: View,
        height: int,
        width: int,
        rays: int,
        sunlight: float,
    ) -> Layers:
        """Render a tracklet.

        Parameters
        ----------
        transforms : numpy.ndarray
            From `bone_transforms`, float32 [frames, bones, 3, 4].
        view : View
            Camera and box of each frame.
        height, width : int
            Size of the crop (pixels).
        rays : int
            Steps between the middles of two pixels that show different things: 1 casts no ray
            between them, 2 one at their border, which they share.
        sunlight : float
            Share of directed light.

        Returns
        -------
        Layers
            Colour, coverage and shadow.
        """
        wp, frames = self._kernels.wp, len(transforms)
        colour = np.zeros((frames, height, width, 4), dtype=np.float32)
        shadow = np.zeros((frames, height, width), dtype=np.float32)
        scene = self._scene(view, height, width)
        scene.colour = wp.array(colour, dtype=wp.vec4, device="cpu", copy=False)
        scene.shadow = wp.array(shadow, dtype=wp.float32, device="cpu", copy=False)
        scene.rays, scene.sunlight = rays, sunlight
        bones = self._array(_homogeneous(transforms), "mat44")
        board = (height, (width + 1) // 2)
        for frame in range(frames):
            scene.mesh = self._pose(bones, frame).id
            for parity in (0, 1):
                wp.launch(self._kernels.look, board, inputs=[scene, frame, parity], device="cpu")
            if rays > 1:
                border = self._kernels.border
                wp.launch(border, (height, width, 2), inputs=[scene, frame], device="cpu")
            wp.launch(self._kernels.shade, (height, width), inputs=[scene, frame], device="cpu")
        return Layers(colour, shadow)

    def _scene(self, view: View, height: int, width: int):
        """Allocate the inputs and outputs of the kernels for a frame."""
        wp = self._kernels.wp
        scene = self._kernels.Scene()
        scene.rest, scene.faces, scene.materials = self._rest, self._faces, self._materials
        scene.colours, scene.seconds, scene.kinds = self._colours, self._seconds, self._kinds
        scene.origins = self._array(view.origins, "vec3")
        scene.axes = self._array(view.axes, "mat33")
        scene.boxes = self._array(np.column_stack([view.corners, view.steps]), "vec3")
        scene.suns = self._array(view.suns, "vec3")
        size = (height, width)
        scene.cloth = wp.zeros(size, dtype=wp.int32, device="cpu")
        scene.place = wp.zeros(size, dtype=wp.vec3, device="cpu")
        scene.normal = wp.zeros(size, dtype=wp.vec3, device="cpu")
        scene.lit = wp.zeros(size, dtype=wp.float32, device="cpu")
        scene.sides = wp.zeros((*size, 4), dtype=wp.vec4, device="cpu")
        return scene

    def _pose(self, bones, frame: int):
        """Skin the mesh for a frame and update its bounding volumes."""
        wp = self._kernels.wp
        points = wp.empty_like(self._rest) if self._mesh is None else self._mesh.points
        inputs = [self._rest, self._bones, self._weights, bones, frame]
        wp.launch(
            self._kernels.skin, len(self._rest), inputs=inputs, outputs=[points], device="cpu"
        )
        if self._mesh is None or self._rebuild:
            self._mesh = wp.Mesh(points=points, indices=self._faces)
        else:
            self._mesh.refit()
        return self._mesh


def _homogeneous(transforms: np.ndarray) -> np.ndarray:
    matrices = np.zeros((*transforms.shape[:2], 4, 4), dtype=np.float32)
    matrices[..., :3, :] = transforms
    matrices[..., 3, 3] = 1.0
    return matrices
