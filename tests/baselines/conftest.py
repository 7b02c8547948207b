"""Textured walkers, small and made up: two textures that a baseline must tell apart.

And persons in stripes of their own colours, seen by two cameras, for the baselines that learn.
"""

from types import SimpleNamespace

import numpy as np
import pytest

from wherewhen.baselines import Clip


def textured(kind, seed, frames=6, size=(32, 64)):
    """Stripes across or along that drift, in colours of their own, with noise."""
    generator = np.random.default_rng(seed)
    width, height = size
    y, x = np.mgrid[:height, :width]
    along, colour = (x, (200, 60, 60)) if kind == "along" else (y, (60, 60, 200))
    phase = generator.uniform(0, 8)
    waves = [0.6 + 0.4 * np.sin(2 * np.pi * (along + phase + step) / 8) for step in range(frames)]
    clip = np.array(waves)[..., None] * colour
    clip += generator.normal(0, 6, clip.shape)
    return clip.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def texture():
    return textured


@pytest.fixture(scope="session")
def textured_clips():
    """Three clips of each of the two textures."""
    return [
        Clip(f"{kind}/{seed}", kind, "a", lambda kind=kind, seed=seed: textured(kind, seed))
        for kind in ("along", "across")
        for seed in range(3)
    ]


def striped(person, camera, seed=0, frames=5, size=(32, 64)):
    """Four stripes in colours that are the person's, in the light of the camera (0 or 1)."""
    width, height = size
    colours = np.random.default_rng(person).uniform(0, 1, (4, 3)).repeat(height // 4, axis=0)
    noise = np.random.default_rng([person, camera, seed]).normal(
        0, 0.05, (frames, height, width, 3)
    )
    clip = (0.8, 1.0)[camera] * colours[None, :, None, :] + noise
    return (255 * clip.clip(0, 1)).astype(np.uint8)


def striped_clips(persons, frames=5):
    """A clip of each person in each camera."""
    return [
        Clip(
            f"{'ab'[camera]}/{person}",
            str(person),
            "ab"[camera],
            lambda person=person, camera=camera: striped(person, camera, frames=frames),
        )
        for person in persons
        for camera in (0, 1)
    ]


def striped_rank_1(baseline, persons):
    """Share of persons in one camera whose nearest in the other is themselves."""
    here, there = (
        np.stack([baseline.describe(striped(person, camera, seed=1)) for person in persons])
        for camera in (0, 1)
    )
    distances = np.linalg.norm(here[:, None] - there[None], axis=2)
    return (distances.argmin(axis=1) == np.arange(len(here))).mean()


@pytest.fixture(scope="session")
def people():
    """Persons in stripes: their frames, clips, and how a baseline ranks them."""
    return SimpleNamespace(frames=striped, clips=striped_clips, rank_1=striped_rank_1)
