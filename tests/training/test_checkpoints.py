import hashlib
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from wherewhen.atomic import replacing
from wherewhen.training.checkpoints import CheckpointError, Checkpoints


def test_what_was_saved_is_loaded(tmp_path):
    checkpoints = Checkpoints(tmp_path, "one")
    assert checkpoints.load() is None
    for step in (1, 2):
        checkpoints.save({"step": step, "weights": torch.arange(3.0) * step})
    state = checkpoints.load()
    assert state["step"] == 2
    assert torch.equal(state["weights"], torch.tensor([0.0, 2.0, 4.0]))
    assert [path.name for path in checkpoints.path.parent.iterdir()] == ["checkpoint.safetensors"]


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    Checkpoints(tmp_path, "one").save({"step": 1})
    with pytest.raises(
        CheckpointError,
        match=r"checkpoint\.safetensors belongs to a run with other arguments \(one, not other\): "
        "delete it .* or choose another folder",
    ):
        Checkpoints(tmp_path, "other").load()
    assert Checkpoints(tmp_path / "elsewhere", "other").load() is None
    assert Checkpoints(tmp_path, "one").load() == {"step": 1}


def test_a_damaged_checkpoint_is_named(tmp_path):
    checkpoints = Checkpoints(tmp_path, "one")
    checkpoints.save({"weights": torch.rand(100)})
    checkpoints.path.write_bytes(checkpoints.path.read_bytes()[:200])
    with pytest.raises(
        CheckpointError, match=r"checkpoint\.safetensors cannot be read .* run again"
    ):
        checkpoints.load()
    assert checkpoints.load() is None
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.safetensors.damaged"]


def test_a_damaged_checkpoint_takes_the_other_with_it(tmp_path):
    checkpoints = Checkpoints(tmp_path, "one")
    checkpoints.save({"step": 3})
    checkpoints.save_best({"step": 2})
    checkpoints.best_path.write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"best\.safetensors cannot be read"):
        checkpoints.load_best()
    assert checkpoints.load() is None


def test_a_changed_number_is_found(tmp_path):
    checkpoints = Checkpoints(tmp_path, "one")
    checkpoints.save({"weights": torch.ones(3), "bias": torch.zeros(())})
    with checkpoints.path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x01")
    with pytest.raises(CheckpointError, match="its tensors do not match their checksum"):
        checkpoints.load()


def test_a_checkpoint_that_the_system_cannot_read_stays(tmp_path, no_privileges):
    checkpoints = Checkpoints(tmp_path, "one")
    checkpoints.save({"step": 1})
    checkpoints.path.chmod(0)
    with pytest.raises(OSError, match="checkpoint"):
        checkpoints.load()
    checkpoints.path.chmod(0o644)
    assert checkpoints.load() == {"step": 1}


def test_a_failed_save_keeps_the_last_one(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, "one")
    checkpoints.save({"step": 1})

    def full_disk(tensors, path, metadata):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("wherewhen.training.checkpoints.save_file", full_disk)
    with pytest.raises(OSError, match="No space"):
        checkpoints.save({"step": 2})
    monkeypatch.undo()
    assert checkpoints.load() == {"step": 1}
    assert [path.name for path in checkpoints.path.parent.iterdir()] == ["checkpoint.safetensors"]


def test_the_best_stands_beside_the_last(tmp_path):
    checkpoints = Checkpoints(tmp_path, "one")
    assert checkpoints.load_best() is None
    checkpoints.save({"step": 3})
    checkpoints.save_best({"step": 2})
    assert (checkpoints.load(), checkpoints.load_best()) == ({"step": 3}, {"step": 2})
    with pytest.raises(CheckpointError, match=r"best\.safetensors belongs to a run with other arg"):
        Checkpoints(tmp_path, "other").load_best()


def assert_equal(one, other):
    """Compare types, values and the order of keys, all the way down."""
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert (
            one.contiguous()
            .flatten()
            .view(torch.uint8)
            .equal(other.contiguous().flatten().view(torch.uint8))
        )
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            assert_equal(one[key], other[key])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for first, second in zip(one, other, strict=True):
            assert_equal(first, second)
    else:
        assert one == other or one != one
        assert repr(one) == repr(other)


DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (2, 3)])
def test_tensors_come_back_in_their_dtype_and_shape(tmp_path, dtype, shape):
    checkpoints = Checkpoints(tmp_path, "one")
    tensor = (10 * torch.randn(shape)).to(dtype)
    checkpoints.save({"tensor": tensor})
    assert_equal(checkpoints.load(), {"tensor": tensor})


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
STATES = st.dictionaries(
    st.text(max_size=5) | st.integers(-9, 9),
    st.recursive(
        LEAVES,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.lists(inner, max_size=3).map(tuple)
            | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    max_size=4,
)


@settings(max_examples=40, deadline=None)
@given(STATES)
def test_any_state_comes_back(tmp_path_factory, state):
    """By `repr`, which tells types, -0.0 and the order of keys apart, and has one NaN."""
    checkpoints = Checkpoints(tmp_path_factory.mktemp("any"), "one")
    checkpoints.save(state)
    assert repr(checkpoints.load()) == repr(state)


def test_values_and_containers_come_back(tmp_path):
    checkpoints = Checkpoints(tmp_path, "one")
    state = {
        "numbers": [0, -1, 2**63, -(2**200), 0.1, -0.0, 1e-320, 1e308, True, False, None, ""],
        "not finite": [float("nan"), float("inf"), float("-inf")],
        "texts": ["ä\N{OLD ITALIC LETTER A}", "\x00", "tensor", '"}{'],
        "tuples": [(), (1, (2.0, [3])), ((),)],
        "like a description": {"tensor": "0/state", "dict": [], "tuple": [1], "float": "nan"},
        0: {"0": 1, 0: 2},
        "z": {},
        "a": {"/": torch.ones(1), "": {"": torch.zeros(1)}},
    }
    checkpoints.save(state)
    assert_equal(checkpoints.load(), state)


def test_values_of_tensors_that_are_not_finite_come_back_to_the_bit(tmp_path):
    checkpoints = Checkpoints(tmp_path, "one")
    bits = torch.tensor([0x7FC00001, 0x7F800000, -0x80000000, 0x00000001], dtype=torch.int32)
    checkpoints.save({"tensor": bits.view(torch.float32)})
    assert checkpoints.load()["tensor"].view(torch.int32).equal(bits)


def test_views_and_tensors_that_share_memory_are_saved_as_they_are(tmp_path):
    checkpoints = Checkpoints(tmp_path, "one")
    whole = torch.arange(12.0).reshape(3, 4)
    state = {
        "whole": whole,
        "again": whole,
        "turned": whole.T,
        "part": whole[1:, :2],
        "row": whole[2],
        "spread": whole[:1].expand(3, 4),
        "parameter": torch.nn.Parameter(whole),
    }
    checkpoints.save(state)
    loaded = checkpoints.load()
    assert_equal(loaded, state | {"parameter": whole})
    loaded["whole"] += 1
    assert_equal(loaded["again"], whole)


def test_generators_go_on_as_if_nothing_had_happened(tmp_path):
    checkpoints = Checkpoints(tmp_path, "one")
    numpy, other = np.random.default_rng(7), np.random.default_rng(8)
    numpy.integers(9, size=3, dtype=np.int32)  # leaves half of 64 bits over
    numpy_state = numpy.bit_generator.state
    assert numpy_state["state"]["state"] > 2**64
    torch.manual_seed(5)
    checkpoints.save({"numpy": numpy_state, "torch": torch.get_rng_state()})
    expected = torch.rand(4), numpy.random(4)
    loaded = checkpoints.load()
    assert_equal(loaded["numpy"], numpy_state)
    torch.set_rng_state(loaded["torch"])
    other.bit_generator.state = loaded["numpy"]
    assert torch.rand(4).equal(expected[0])
    assert other.random(4).tolist() == expected[1].tolist()


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.RMSprop])
def test_an_optimiser_goes_on_to_the_same_weights(tmp_path, kind):
    checkpoints = Checkpoints(tmp_path, "one")
    torch.manual_seed(0)
    gradients = torch.randn(4, 3, 2)

    def moved(weights, optimiser, steps):
        for gradient in steps:
            weights.grad = gradient.clone()
            optimiser.step()
        return weights

    weights = torch.nn.Parameter(torch.ones(3, 2))
    optimiser = kind([weights], lr=0.1)
    moved(weights, optimiser, gradients[:2])
    state = {"weights": weights.detach().clone(), "optimiser": optimiser.state_dict()}
    checkpoints.save(state)
    loaded = checkpoints.load()
    assert_equal(loaded, state)
    again = torch.nn.Parameter(loaded["weights"])
    resumed = kind([again], lr=0.7)
    resumed.load_state_dict(loaded["optimiser"])
    expected = moved(weights, optimiser, gradients[2:])
    assert moved(again, resumed, gradients[2:]).equal(expected)


def test_equal_states_make_equal_files(tmp_path):
    one = Checkpoints(tmp_path, "one")
    state = {"b": torch.arange(3), "a": [torch.ones(2, dtype=torch.bool), 0.1]}
    one.save(state)
    first = one.path.read_bytes()
    one.save(one.load())
    assert one.path.read_bytes() == first


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({1, 2}, r"can't hold state/a/1, of type set: expected tensors, numbers"),
        (np.zeros(2), "state/a/1, of type ndarray"),
        (np.int64(2), "state/a/1, of type int64"),
        (print, "state/a/1, of type builtin_function_or_method"),
        ({(1, 2): 0}, r"the key \(1, 2\) of state/a/1, of type tuple: expected a string or an int"),
        ({True: 0}, "the key True of state/a/1, of type bool"),
    ],
)
def test_what_could_not_be_read_again_is_refused(tmp_path, value, message):
    checkpoints = Checkpoints(tmp_path, "one")
    checkpoints.save({"step": 1})
    with pytest.raises(TypeError, match=message):
        checkpoints.save({"a": [0, value]})
    assert checkpoints.load() == {"step": 1}


def test_two_processes_that_write_the_same_file_do_not_meet(tmp_path):
    one, other = Checkpoints(tmp_path, "run"), Checkpoints(tmp_path, "run")
    with replacing(one.best_path) as partial:  # another process, in the midst of it
        partial.write_bytes(b"half")
        other.save_best({"step": 2})
        assert partial.read_bytes() == b"half"
        assert one.load_best() == {"step": 2}
        nothing = hashlib.sha256().hexdigest()
        content = {"fingerprint": "run", "state": 3, "sha256": nothing}
        save_file({}, partial, metadata=header(content))
    assert other.load_best() == 3
    assert list(tmp_path.rglob("*.tmp")) == []


def header(content):
    return {"checkpoint": content if isinstance(content, str) else json.dumps(content)}


class TestHostile:
    @pytest.fixture
    def checkpoints(self, tmp_path):
        checkpoints = Checkpoints(tmp_path, "one")
        checkpoints.save({"weights": torch.rand(100)})
        return checkpoints

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("{", "run again"),
            ("[" * 100_000, "run again"),
            ({"state": 1}, "fingerprint"),
            ({"fingerprint": "one"}, "state"),
            ({"fingerprint": "one", "state": {"tensor": "1/state"}}, "1/state"),
            ({"fingerprint": "one", "state": {"tensor": 7}}, "run again"),
            ({"fingerprint": "one", "state": {"call": "os.system"}}, "names the kind 'call'"),
            ({"fingerprint": "one", "state": {"dict": [], "tuple": []}}, "too many values"),
            ({"fingerprint": "one", "state": {}}, "not enough values"),
            ({"fingerprint": "one", "state": {"dict": [[[1], 2]]}}, "unhashable"),
            ({"fingerprint": "one", "state": {"float": "x"}}, "could not convert"),
            ([], "run again"),
        ],
    )
    def test_a_header_that_is_no_description(self, checkpoints, content, message):
        save_file({"0/state": torch.ones(1)}, checkpoints.path, metadata=header(content))
        with pytest.raises(CheckpointError, match=message) as raised:
            checkpoints.load()
        assert f"{checkpoints.path} cannot be read as a checkpoint" in str(raised.value)

    def test_a_file_of_something_else(self, checkpoints):
        save_file({"weight": torch.ones(1)}, checkpoints.path)
        with pytest.raises(CheckpointError, match="cannot be read as a checkpoint"):
            checkpoints.load()

    @pytest.mark.parametrize("kept", [0, 7, 100, -1])
    def test_a_truncated_file(self, checkpoints, kept):
        checkpoints.path.write_bytes(checkpoints.path.read_bytes()[:kept])
        with pytest.raises(CheckpointError, match="run again: it trains from the start"):
            checkpoints.load()

    @pytest.mark.parametrize("dump", [pickle.dump, torch.save])
    def test_a_pickle_under_the_name_is_not_executed(self, checkpoints, dump):
        made = checkpoints.path.with_name("executed")
        with checkpoints.path.open("wb") as file:
            dump(Planted(made), file)
        with pytest.raises(CheckpointError, match="cannot be read as a checkpoint"):
            checkpoints.load()
        assert not made.exists()

    def test_a_checkpoint_of_an_earlier_version_is_not_opened(self, tmp_path):
        checkpoints = Checkpoints(tmp_path, "one")
        made = tmp_path / "executed"
        for name in ("checkpoint.pt", "best.pt"):
            torch.save(Planted(made), checkpoints.path.with_name(name))
        assert checkpoints.load() is None
        assert checkpoints.load_best() is None
        assert not made.exists()

    def test_what_is_loaded_does_not_hang_on_the_file(self, checkpoints):
        before = checkpoints.load()["weights"]
        kept = before.clone()
        with checkpoints.path.open("r+b") as file:
            file.seek(-100, os.SEEK_END)
            file.write(bytes(100))
        assert before.equal(kept)

    def test_the_header_can_be_read_by_any_program(self, checkpoints):
        with safe_open(checkpoints.path, framework="numpy") as opened:
            content = json.loads(opened.metadata()["checkpoint"])
            weights = opened.get_tensor("0/state/weights")
        assert content == {
            "fingerprint": "one",
            "state": {"dict": [["weights", {"tensor": "0/state/weights"}]]},
            "sha256": hashlib.sha256(weights.tobytes()).hexdigest(),
        }


class Planted:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)
