"""Toy cubes: persons who differ in one location alone, seen by two cameras that shift channels."""

import numpy as np
import pandas as pd

GRID, CHANNELS = 3, 8


class ToyCubes:
    """A CubeReader over arrays."""

    def __init__(self, cubes):
        self.cubes = cubes
        self.lengths = {tracklet: len(values) for tracklet, values in cubes.items()}
        self.reads = 0

    def read(self, tracklet, start=0, stop=None):
        self.reads += 1
        return self.cubes[tracklet][start:stop]


def toy(persons=8, seed=0, noise=1.0, lengths=(3, 12)):
    generator = np.random.default_rng(seed)
    rows, cubes = [], {}
    shift = {"a": 0.0, "b": 0.5}
    for person in range(persons):
        signature = 2.0 * generator.standard_normal(CHANNELS)
        for camera in "ab":
            tracklet = f"cam_{camera}/person_{person:04d}"
            length = int(generator.integers(*lengths))
            values = noise * generator.standard_normal((length, GRID, GRID, CHANNELS))
            values += shift[camera]
            values[:, 1, 2] += signature
            cubes[tracklet] = values.astype(np.float16)
            rows.append((tracklet, f"p{person:04d}", camera))
    return ToyCubes(cubes), pd.DataFrame(rows, columns=["tracklet", "person", "camera"])
