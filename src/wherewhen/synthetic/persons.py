"""Persons: body, clothes and gait, drawn from the set's seed and the person's number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wherewhen.synthetic.bodies import Phenotype
from wherewhen.synthetic.config import SyntheticConfig
from wherewhen.synthetic.gait import Gait, draw_gait, widened
from wherewhen.synthetic.wardrobe import Outfit, Wardrobe, dress, stock_wardrobe
from wherewhen.synthetic.worlds import WORLDS

WARDROBE, PERSON, CAMERA, TRACKLET, PASSER_BY, DETECTION, VIEWS = range(7)
"""Streams of random numbers, so that no draw in one shifts the draws of another."""


@dataclass(frozen=True)
class Person:
    """A person: body, clothes and gait."""

    phenotype: Phenotype
    outfit: Outfit
    gait: Gait


def stream(seed: int, *key: int) -> np.random.Generator:
    """Return the random generator of one purpose.

    Parameters
    ----------
    seed : int
        The set's seed.
    *key : int
        What the numbers are for: one of this module's streams, then a person, a camera, ...

    Returns
    -------
    numpy.random.Generator
        The same one for the same key, whatever was drawn elsewhere.
    """
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=key))


def draw_wardrobe(config: SyntheticConfig) -> Wardrobe:
    """Draw the wardrobe of a set."""
    generator, stock = stream(config.seed, WARDROBE), WORLDS[config.world].stock
    return stock_wardrobe(config.tops, config.bottoms, config.shoes, generator, stock)


def draw_person(
    config: SyntheticConfig, wardrobe: Wardrobe, number: int, kind: int = PERSON
) -> Person:
    """Draw a person.

    Parameters
    ----------
    config : SyntheticConfig
        World, seed and share of bags.
    wardrobe : Wardrobe
        From `draw_wardrobe`.
    number : int
        The person's number.
    kind : int
        `PERSON`, or `PASSER_BY` for somebody who only walks in front of the camera.

    Returns
    -------
    Person
        The same one for the same seed, kind and number.
    """
    generator, spread = stream(config.seed, kind, number), WORLDS[config.world].spread
    woman = bool(generator.random() < 0.5)
    age = float(np.clip(generator.normal(0.72, 0.12), 0.62, 1.0))
    phenotype = Phenotype(
        gender=float(generator.uniform(0.82, 1.0) if woman else generator.uniform(0.0, 0.15)),
        age=age,
        muscle=float(generator.uniform(*widened(0.25, 0.75, spread))),
        weight=float(np.clip(generator.normal(0.5, 0.2 * spread), 0.15, 0.95)),
        height=float(np.clip(generator.normal(0.48, 0.09 * spread), 0.3, 0.66)),
        proportions=float(min(generator.uniform(*widened(0.3, 0.9, spread)), 1.0)),
    )
    outfit = dress(wardrobe, woman, age, config.bags, generator)
    return Person(phenotype, outfit, draw_gait(generator, old=age > 0.9, spread=spread))
