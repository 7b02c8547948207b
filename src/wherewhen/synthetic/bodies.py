"""The `anny` body model: rest shapes, joints and skinning weights.

anny (NAVER, Apache-2.0; its assets from MakeHuman, CC0) gives a body of a gender, age, height,
weight, muscle and proportions. Posing is done by the gait and the renderer: of anny's output only
the rest vertices and the joints are needed, once a person.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

BONES_A_VERTEX = 4
"""Bones kept for each vertex, the heaviest of anny's nine. For 99 % of the vertices the others add
up to less than 0.11 (at most 0.22), and the four are scaled up to make one."""


@dataclass(frozen=True)
class BodyModel:
    """The parts of the body model that all bodies share.

    Attributes
    ----------
    faces : numpy.ndarray
        Triangles, int32 [faces, 3].
    bones : tuple of str
        Names of the bones, parents before children.
    parents : numpy.ndarray
        Index of each bone's parent, -1 for the root; int32 [bones].
    weight_bones, weights : numpy.ndarray
        The bones that move each vertex, int32 [vertices, 4], and their shares, float32.
    dominant : numpy.ndarray
        Index of the bone that moves each vertex most, int32 [vertices].
    """

    faces: np.ndarray
    bones: tuple[str, ...]
    parents: np.ndarray
    weight_bones: np.ndarray
    weights: np.ndarray
    dominant: np.ndarray
    _anny: object
    _mean: np.ndarray
    _shapes: np.ndarray

    def index(self, bone: str) -> int:
        """Return the index of a bone by its name."""
        return self.bones.index(bone)


@dataclass(frozen=True)
class Phenotype:
    """The six shape parameters of anny, each between 0 and 1."""

    gender: float
    """0: male, 1: female."""
    age: float
    """0.67 is a young adult, 1 is old; this project has adults alone."""
    muscle: float
    weight: float
    height: float
    proportions: float


@dataclass(frozen=True)
class Body:
    """A body at rest.

    Attributes
    ----------
    vertices : numpy.ndarray
        float32 [vertices, 3], metres; z up, the body faces -y, its left is +x, soles at z = 0.
    joints : numpy.ndarray
        Heads of the bones, float32 [bones, 3].
    """

    vertices: np.ndarray
    joints: np.ndarray


_LOADING = threading.Lock()


def load_body_model() -> BodyModel:
    """Load the body model, once a process.

    The first load on a machine makes anny's own cache (`~/.cache/anny`, or `ANNY_CACHE_DIR`) and
    takes some 13 s, later ones take one.

    Returns
    -------
    BodyModel
        The common part of all bodies.
    """
    with _LOADING:  # worker threads arrive together; one of them loads
        return _load_body_model()


@functools.cache
def _load_body_model() -> BodyModel:
    try:
        import anny
    except ImportError as error:
        raise ImportError(
            "people are rendered by the package anny, which is not installed: install it with "
            "`pip install 'wherewhen[synthetic]'`, or name footage of your own by ingest.root"
        ) from error

    with _fast_target_files():
        # The plain skinning method: the default would compile a kernel that is never called.
        model = anny.Anny(skinning_method="lbs")
    all_bones = model.vertex_bone_indices.numpy()
    all_weights = model.vertex_bone_weights.numpy()
    order = np.argsort(-all_weights, axis=1, kind="stable")[:, :BONES_A_VERTEX]
    weights = np.take_along_axis(all_weights, order, axis=1)
    weight_bones = np.take_along_axis(all_bones, order, axis=1).astype(np.int32)
    return BodyModel(
        faces=_coarsen(
            model.get_triangular_faces().numpy(),
            model.template_vertices.numpy(),
            weight_bones[:, 0],
            tuple(model.bone_labels),
        ),
        bones=tuple(model.bone_labels),
        parents=np.array(model.bone_parents, dtype=np.int32),
        weight_bones=weight_bones,
        weights=(weights / weights.sum(axis=1, keepdims=True)).astype(np.float32),
        dominant=weight_bones[:, 0],
        _anny=model,
        _mean=_with_joints(model.template_vertices, model.template_bone_heads),
        _shapes=_with_joints(model.blendshapes, model.bone_heads_blendshapes),
    )


def _coarsen(
    faces: np.ndarray, vertices: np.ndarray, dominant: np.ndarray, bones: tuple[str, ...]
) -> np.ndarray:
    """Merge faces below a pixel in size: two thirds of anny's are on head, hands and feet.

    Vertices of one bone that lie in one cell of a grid become one. All vertices stay where they
    are; the merged ones are no longer used.
    """
    names = np.array(bones)[dominant]
    cell = np.full(len(vertices), np.nan)
    for prefix, size in (
        ("finger", 0.014),
        ("metacarpal", 0.014),
        ("wrist", 0.014),
        ("foot", 0.014),
        ("toe", 0.014),
        ("head", 0.009),
        ("eye", 0.02),
    ):
        cell[np.char.startswith(names, prefix)] = size
    merged = np.flatnonzero(~np.isnan(cell))
    place = np.floor(vertices[merged] / cell[merged, None]).astype(np.int64)
    key = np.concatenate([place, dominant[merged, None]], axis=1)
    _, first, which = np.unique(key, axis=0, return_index=True, return_inverse=True)
    stand_in = np.arange(len(vertices))
    stand_in[merged] = merged[first[which.ravel()]]
    faces = stand_in[faces]
    a, b, c = faces.T
    return np.ascontiguousarray(faces[(a != b) & (b != c) & (a != c)].astype(np.int32))


def _with_joints(vertices, joints) -> np.ndarray:
    """Put vertices and joints into one array, float32 [..., vertices + bones, 3]."""
    return np.concatenate([vertices.numpy(), joints.numpy()], axis=-2).astype(np.float32)


@contextlib.contextmanager
def _fast_target_files() -> Iterator[None]:
    """Parse anny's 1,136 shape files by NumPy: 13 s instead of 87 s, with equal tensors.

    anny 0.6.2 fills a tensor line by line. Where another version has no such function, nothing is
    replaced and the first load is merely slow.
    """
    from anny.models import full_model

    original = getattr(full_model, "load_blend_shape", None)
    if original is None:
        yield
        return

    def load_blend_shape(filename, vertices_count, world_transformation, dtype):
        import torch

        with gzip.open(filename, "rt") as archive:
            rows = np.array(archive.read().split(), dtype=np.float64).reshape(-1, 4)
        offsets = np.zeros((vertices_count, 3))
        offsets[rows[:, 0].astype(np.int64)] = rows[:, 1:]
        return world_transformation.apply(torch.as_tensor(offsets, dtype=dtype))

    full_model.load_blend_shape = load_blend_shape
    try:
        yield
    finally:
        full_model.load_blend_shape = original


def shape_body(model: BodyModel, phenotype: Phenotype) -> Body:
    """Create a body in its rest pose.

    Parameters
    ----------
    model : BodyModel
        From `load_body_model`.
    phenotype : Phenotype
        The body's six numbers.

    Returns
    -------
    Body
        Standing on z = 0.
    """
    with _LOADING:
        shares = model._anny.get_phenotype_blendshape_coefficients(**vars(phenotype))[0].numpy()
    # Not by BLAS or torch: their threads would fight the renderer's, and could round differently.
    points = np.einsum("s,spd->pd", shares.astype(np.float32), model._shapes) + model._mean
    count = len(model.dominant)
    points[:, 2] -= points[:count, 2].min()
    return Body(vertices=points[:count], joints=points[count:])
