"""Toy cubes: persons who differ in one location alone, seen by two cameras that shift channels."""

import numpy as np
import pandas as pd

from wherewhen.tracklets.cubes import ArrayCubes

GRID, CHANNELS = 3, 8


class ToyCubes(ArrayCubes):
    """Count how often they are read."""

    reads = 0

    def _fill(self, window, out):
        self.reads += 1
        super()._fill(window, out)


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
