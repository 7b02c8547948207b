"""Variants under names of their own."""

import numpy as np
import pytest

from wherewhen.features.cube_store import CubeStore
from wherewhen.features.variants import Variants


@pytest.fixture
def store(tmp_path):
    store = CubeStore.create(tmp_path, {"variants": 2})
    cubes = np.random.default_rng(0).standard_normal((2, 5, 3, 3, 4)).astype(np.float16)
    store.write("a/p", cubes)
    store.seal()
    return store


def test_every_variant_is_a_tracklet(store):
    variants = Variants(store)
    assert variants.count == 2
    assert variants.lengths == {"a/p": 5, variants.name("a/p", 1): 5}
    for variant in range(2):
        window = variants.read(variants.name("a/p", variant), 1, 4)
        np.testing.assert_array_equal(window, store.read("a/p", 1, 4, variant=variant))


def test_flipped_cubes_are_turned_round_in_their_width(store):
    variants = Variants(store, flip=True)
    assert variants.count == 4
    flipped = variants.read(variants.name("a/p", 3), 2, 3)
    plain = store.read("a/p", 2, 3, variant=1)
    for column in range(3):
        np.testing.assert_array_equal(flipped[:, :, column], plain[:, :, 2 - column])
    assert flipped.flags.c_contiguous


def test_windows_are_read_into_a_buffer(store):
    variants = Variants(store, flip=True)
    assert variants.reads_into
    for variant in range(4):
        name, out = variants.name("a/p", variant), np.empty((2, 3, 3, 4), np.float16)
        assert variants.read(name, 1, 3, out=out) is out
        np.testing.assert_array_equal(out, variants.read(name, 1, 3))


def test_a_reader_without_variants_has_one():
    class Reader:
        @property
        def lengths(self):
            return {"t": 2}

        def read(self, tracklet, start=0, stop=None):
            return np.zeros((2, 1, 1, 1))[start:stop]

    variants = Variants(Reader())
    assert variants.count == 1
    assert variants.lengths == {"t": 2}
    assert variants.read("t", 0, 1).shape == (1, 1, 1, 1)
