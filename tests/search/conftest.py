import numpy as np
import pandas as pd
import pytest

ABOUT = {"model": "0123456789abcdef", "metric": "cosine"}


@pytest.fixture
def about():
    return dict(ABOUT)


@pytest.fixture
def gallery():
    """Make a gallery of some persons in three cameras: its table and its vectors."""

    def gallery(tracklets, persons=10, dimensions=8, seed=0):
        generator = np.random.default_rng(seed)
        who = generator.integers(persons, size=tracklets)
        table = pd.DataFrame(
            {
                "tracklet": [f"tracklet-{seed}-{row:05}" for row in range(tracklets)],
                "person": [f"person-{person:04}" for person in who],
                "camera": [
                    f"cam_{'abc'[camera]}" for camera in generator.integers(3, size=tracklets)
                ],
                "start": generator.uniform(0, 1000, tracklets),
                "length": generator.integers(1, 50, tracklets),
            }
        )
        table["end"] = table["start"] + 10
        unknown = generator.random(tracklets) < 0.2
        table.loc[unknown, ["start", "end"]] = np.nan
        centres = generator.standard_normal((persons, dimensions))
        vectors = centres[who] + 0.4 * generator.standard_normal((tracklets, dimensions))
        return table, vectors.astype(np.float32)

    return gallery


@pytest.fixture
def small():
    """Four tracklets in a plane, as the tests by hand have them."""
    table = pd.DataFrame(
        {
            "tracklet": ["a/anna", "b/anna", "a/bert", "b/bert"],
            "person": ["anna", "anna", "bert", "bert"],
            "camera": ["a", "b", "a", "b"],
            "start": [0.0, 100.0, 50.0, np.nan],
            "end": [10.0, 110.0, 60.0, np.nan],
            "length": [20, 30, 25, 20],
        }
    )
    return table, np.array([[0, 0], [0, 1], [3, 4], [0, 1]], dtype=np.float32)
