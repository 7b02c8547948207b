import copy

import numpy as np
import pytest

from wherewhen.features.cube_store import CubeStore
from wherewhen.features.limited_cubes import LimitedCubes


@pytest.fixture
def store(tmp_path):
    store = CubeStore.create(tmp_path, {"of": "a test"})
    for number, name in enumerate("abc"):
        store.write(name, np.full((1, 3, 2, 2, 4), number, np.float16), "float16", name)
    store.seal()
    return store


def test_some_tracklets_are_read_and_others_are_not_there(store):
    limited = LimitedCubes(store, {"c", "b"})
    assert limited.lengths == {"b": 3, "c": 3}
    np.testing.assert_array_equal(limited.read("c", 1, 3), store.read("c", 1, 3))
    out = np.empty((1, 2, 2, 4), np.float16)
    assert limited.read("b", 0, 1, out=out) is out and out.min() == out.max() == 1
    with pytest.raises(PermissionError, match="tracklet a is not among the 2 that may be read"):
        limited.read("a")
    with pytest.raises(KeyError):
        LimitedCubes(store, {"z"})


def test_it_reads_like_its_store(store):
    limited = copy.copy(LimitedCubes(store, {"a"}))
    assert (limited.key, limited.grid, limited.channels) == (store.key, 2, 4)
    assert limited.variants == store.variants == 1
