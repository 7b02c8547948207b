"""One file of cubes: its bytes, its header and its 8 bits."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.numpy import load_file

from wherewhen.features import cube_files
from wherewhen.features.cube_files import CubeFile, data_bytes, write_file

CUBES = np.random.default_rng(0).standard_normal((2, 5, 3, 3, 4)).astype(np.float16)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cubes/t.safetensors"


@pytest.mark.parametrize(("storage", "size"), [("float16", 2 * 360), ("uint8", 360 + 2 * 40)])
def test_a_file_is_safetensors_and_says_what_it_holds(path, storage, size):
    write_file(path, CUBES, storage, "frames of t")
    file = CubeFile.open(path)
    assert file.shape == CUBES.shape == load_file(path)["cubes"].shape
    assert (file.length, file.source) == (5, "frames of t")
    assert file.size == path.stat().st_size == file.offset + size
    assert size == data_bytes(CUBES.shape, storage)
    assert file.is_whole
    assert file.has_checksum()
    out = np.empty((2, 3, 3, 4), np.float16)
    file.read_into(1, 2, out)
    np.testing.assert_array_equal(out, cube_files.as_stored(CUBES[1], storage)[2:4])


def test_the_cubes_of_mars_take_119_gigabytes():
    """1,191,003 frames of GoogLeNet's 7 x 7 x 1024 values of two bytes."""
    assert data_bytes((1, 1_191_003, 7, 7, 1024), "float16") == pytest.approx(119.5e9, rel=0.01)


def test_the_bytes_of_a_file_stay_what_they_were(path):
    """Stores of earlier versions are read on, and made again to the same bytes."""
    write_file(path, np.zeros((1, 1, 1, 1, 2), np.float16), "float16", "s")
    header = (
        b'{"cubes":{"dtype":"F16","shape":[1,1,1,1,2],"data_offsets":[0,4]},"__metadata__":{'
        b'"sha256":"df3f619804a92fdb4057192dc43dd748ea778adc52bc498ce80524c014b81119","source":"s"}}'
    )
    header += b" " * (-(len(header) + 8) % 64)
    assert path.read_bytes() == len(header).to_bytes(8, "little") + header + bytes(4)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"[1,1,1,1,2]", b"[1,1,1,2,2]"),
        (b"[0,4]", b"[0,5]"),
        (b'"F16"', b'"F32"'),
        (b'"cubes"', b'"cubez"'),
        (b'"sha256"', b'"sha257"'),
    ],
)
def test_a_header_that_contradicts_itself_is_refused(path, old, new):
    write_file(path, np.zeros((1, 1, 1, 1, 2), np.float16), "float16", "s")
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    with pytest.raises(ValueError, match=r"contradict|not a cube file|expected float16"):
        CubeFile.open(path)


def test_a_header_without_its_scale_is_refused(path):
    write_file(path, CUBES, "uint8", "")
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    del header["scale"]
    path.write_bytes(
        content[:8] + json.dumps(header).encode().ljust(length) + content[8 + length :]
    )
    with pytest.raises(ValueError, match="contradict"):
        CubeFile.open(path)


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
def test_steps_become_float16_as_numpy_makes_them(kind):
    """From the smallest numbers of float16 to the largest, to the last place."""
    every = np.arange(np.iinfo(kind).min, np.iinfo(kind).max + 1)
    every = np.maximum(every, -np.iinfo(kind).max).astype(kind)
    steps = every.reshape(1, 16, 16, 1).repeat(200, -1)
    scale = np.geomspace(6e-8, 65504, 200).astype(np.float16)[None]
    out = np.empty(steps.shape, np.float16)
    cube_files._scale_into(out, steps, scale)
    one = scale.astype(np.float32) / np.iinfo(kind).max
    expected = (steps * one[:, None, None]).astype(np.float16)
    places = out.view(np.int16).astype(int) - expected.view(np.int16).astype(int)
    assert np.abs(places).max() <= 1  # a tie is rounded up, by numpy to even
    assert (places != 0).mean() < 0.01


@settings(max_examples=40, deadline=None)
@given(
    arrays.arrays(
        np.float16,
        arrays.array_shapes(min_dims=5, max_dims=5, max_side=3),
        elements=st.floats(-60_000, 60_000, width=16),
    ),
    st.sampled_from(["float16", "uint8"]),
    st.data(),
)
def test_every_window_of_any_cubes_comes_back(tmp_path_factory, cubes, storage, data):
    """To the bit in float16; in 8 bits, off by half a step of the frame's and channel's largest."""
    path = tmp_path_factory.mktemp("cubes") / "t.safetensors"
    write_file(path, cubes, storage, "s")
    file = CubeFile.open(path)
    assert file.shape == cubes.shape
    assert file.is_whole
    assert file.has_checksum()
    variants, length = cubes.shape[:2]
    variant, start = data.draw(st.integers(0, variants - 1)), data.draw(st.integers(0, length - 1))
    stop = data.draw(st.integers(start + 1, length))
    out = np.empty((stop - start, *cubes.shape[2:]), np.float16)
    file.read_into(variant, start, out)
    expected = cubes[variant, start:stop].astype(np.float64)
    if storage == "float16":
        np.testing.assert_array_equal(out, expected)
        return
    largest = np.abs(cubes[variant, start:stop].astype(np.float64)).max(axis=(1, 2), keepdims=True)
    steps = 127 if (cubes < 0).any() else 255
    rounding = 2.0**-11 * largest + 2.0**-24  # of float16, subnormal numbers included
    assert (np.abs(out - expected) <= 0.5 * largest / steps * 1.001 + rounding).all()
