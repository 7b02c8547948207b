"""Tensors of files find their places, or it is said which do not."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from wherewhen.features.checkpoint_files import WeightsError, read_checkpoint
from wherewhen.features.fitting import in_order_of, load_into, state_sha256


def small(channels=4):
    return nn.Sequential(nn.Conv2d(3, channels, 3), nn.BatchNorm2d(channels))


def put(state, prefix):
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


WRAPPINGS = {
    "none": lambda state: state,
    "classifier": lambda state: {**state, "classifier.weight": torch.ones(7, 4)},
    "data parallel": lambda state: {"state_dict": put(state, "module."), "epoch": 3},
    "compiled": lambda state: put(state, "_orig_mod."),
    "compiled in data parallel": lambda state: put(state, "module._orig_mod."),
    "data parallel in compiled": lambda state: {"model": put(state, "_orig_mod.module.")},
    "twice": lambda state: put(state, "module.module."),
    "lightning": lambda state: {
        "state_dict": {**put(state, "model.backbone."), "model.head.weight": torch.ones(3)},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(4)}}}],
    },
    "part compiled": lambda state: {
        name.replace(".", "._orig_mod.module.", 1): tensor for name, tensor in state.items()
    },
    "containers": lambda state: {"teacher": {"net": {"params": {"ema": put(state, "encoder.")}}}},
    "list": lambda state: {"models": [state]},
    "average": lambda state: {"n_averaged": torch.tensor(5), **put(state, "module.")},
    "name of one's own": lambda state: {"weights of epoch 3": put(state, "my.siamese_net.cnn.")},
    "the same twice": lambda state: {
        "model": state,
        "ema": {n: t.clone() for n, t in state.items()},
    },
    "itself": lambda state: (lambda content: content.update(me=content) or content)({"net": state}),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_what_trainers_put_around_tensors_is_taken_off(tmp_path, wrapping):
    expected, module = small(), small()
    torch.save(WRAPPINGS[wrapping](expected.state_dict()), tmp_path / "w.pth")
    load_into(module, read_checkpoint(tmp_path / "w.pth"), "small", tmp_path / "w.pth")
    assert state_sha256(module) == state_sha256(expected)


def test_wrapped_safetensors_are_unwrapped(tmp_path):
    expected, module = small(), small()
    save_file(put(expected.state_dict(), "_orig_mod.backbone."), tmp_path / "w.safetensors")
    load_into(module, read_checkpoint(tmp_path / "w.safetensors"), "small", tmp_path)
    assert state_sha256(module) == state_sha256(expected)


def test_a_part_may_be_called_as_a_wrapper_is(tmp_path):
    expected, module = (nn.ModuleDict({"stem": nn.ModuleDict({"module": small()})}) for _ in "ab")
    load_into(module, put(expected.state_dict(), "module."), "own", tmp_path)
    assert state_sha256(module) == state_sha256(expected)


def test_one_of_two_networks_is_chosen_by_key(tmp_path):
    student, teacher, module = small(), small(), small()
    both = {"student": put(student.state_dict(), "module."), "teacher": teacher.state_dict()}
    torch.save(both, tmp_path / "w.pth")
    tensors = read_checkpoint(tmp_path / "w.pth")
    with pytest.raises(
        WeightsError,
        match=r"different networks that fit small: under `student.module`, under `teacher`; set "
        r"`extract.weights.key` .* such as `teacher`",
    ):
        load_into(module, tensors, "small", tmp_path / "w.pth")
    for key, network in (("teacher", teacher), ("student", student), ("student.module", student)):
        load_into(module, tensors, "small", tmp_path / "w.pth", key=key)
        assert state_sha256(module) == state_sha256(network)
    with pytest.raises(WeightsError, match=r"no tensors under `ema`.* begin with student, teacher"):
        load_into(module, tensors, "small", tmp_path / "w.pth", key="ema")


@pytest.mark.parametrize(("heads", "level"), [(("classifier.",), "INFO"), ((), "WARNING")])
def test_what_is_left_out_is_said(tmp_path, caplog, heads, level):
    """A classifier is expected; what is no known part may have changed what the others compute."""
    state = put({**small().state_dict(), "classifier.weight": torch.ones(7, 4)}, "module.")
    with caplog.at_level("INFO", logger="wherewhen.features.fitting"):
        load_into(small(), state, "small", tmp_path / "w.pth", heads)
    (record,) = caplog.records
    assert record.levelname == level
    said = f"weights of small: left out of {tmp_path}/w.pth: module.classifier.weight"
    assert said in record.getMessage()


def test_the_state_of_an_optimiser_is_no_reason_to_warn(tmp_path, caplog):
    state = put(small().state_dict(), "state_dict.") | {"optimizer.0.exp_avg": torch.ones(2)}
    with caplog.at_level("INFO", logger="wherewhen.features.fitting"):
        load_into(small(), state, "small", tmp_path / "w.pth")
    (record,) = caplog.records
    assert record.levelname == "INFO" and "optimizer.0.exp_avg" in record.getMessage()


def test_copies_that_differ_in_a_counter_are_one_network(tmp_path):
    network, module = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    state = put(network.state_dict(), "model.") | put(network.state_dict(), "ema.")
    state["ema.num_batches_tracked"] = torch.tensor(7)
    load_into(module, state, "own", tmp_path / "w.pth")
    assert state_sha256(module) == state_sha256(network)


def test_a_layer_more_is_another_network(tmp_path):
    """A classifier may be left out; what stands inside of the backbone's own parts may not."""
    state = put({**small().state_dict(), "1.attention.weight": torch.ones(4)}, "module.")
    with pytest.raises(WeightsError, match=r"left over: module.1.attention.weight \[4\]"):
        load_into(small(), state, "small", tmp_path / "w.pth")
    load_into(small(), state, "small", tmp_path / "w.pth", heads=("1.attention.",))


def test_a_misfit_lists_what_is_missing_of_another_shape_and_left_over(tmp_path):
    state = {**put(small(5).state_dict(), "net.module."), "extra.weight": torch.zeros(2)}
    state["net.renamed"] = state.pop("net.module.1.running_var")
    before = state_sha256(module := small(4))
    with pytest.raises(WeightsError) as caught:
        load_into(module, state, "googlenet", tmp_path / "w.pth")
    assert str(caught.value).startswith(
        f"weights: {tmp_path}/w.pth does not fit googlenet: 6 of the backbone's 7 tensors were "
        "found by name under `net.module`.\n"
        "  missing: 1.running_var [4]\n"
        "  of another shape: net.module.0.weight [5, 3, 3, 3] instead of [4, 3, 3, 3]; "
        "net.module.0.bias [5] instead of [4]; net.module.1.weight [5] instead of [4]; "
        "and 2 more\n"
        "  left over: extra.weight [2]; net.renamed [5]\n"
    )
    assert "source: random" in str(caught.value)
    assert "another architecture" not in str(caught.value)
    assert state_sha256(module) == before


def test_names_that_are_not_known_at_all_are_shown(tmp_path):
    state = {f"tensor{i}": tensor for i, tensor in enumerate(small().state_dict().values())}
    with pytest.raises(WeightsError) as caught:
        load_into(small(), state, "small", tmp_path / "w.pth")
    assert "0 of the backbone's 7 tensors were found by name without a prefix" in str(caught.value)
    assert "missing: 0.weight [4, 3, 3, 3]; 0.bias [4]; 1.weight [4]; and 3" in str(caught.value)
    assert "left over: tensor0 [4, 3, 3, 3]; tensor1 [4]; tensor2 [4]; and 4" in str(caught.value)


def test_order_stands_in_for_names():
    state = small().state_dict()
    theirs = {f"_layer{i}.{name.split('.')[1]}": t for i, (name, t) in enumerate(state.items())}
    ours = in_order_of(small(), theirs)
    assert list(ours) == list(state)
    assert all(torch.equal(ours[name], state[name]) for name in state)


def test_order_is_not_trusted_when_kinds_differ():
    theirs = {name.replace("bias", "other"): t for name, t in small().state_dict().items()}
    assert in_order_of(small(), theirs) == theirs


SHAPE = (4, 3, 3, 3)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("0.weight", torch.full(SHAPE, torch.nan), "108 of 108 values are NaN, infinite or beyond"),
        ("0.bias", torch.tensor([0, 1, torch.inf, 2]), "1 of 4 values are NaN, infinite"),
        ("0.weight", torch.full(SHAPE, 1e300, dtype=torch.float64), "beyond torch.float32"),
        ("1.running_var", -torch.ones(4), "negative variances"),
        ("0.weight", torch.ones(SHAPE, dtype=torch.int8), "torch.int8 .*expected plain numbers"),
        ("0.weight", torch.ones(SHAPE, dtype=torch.bool), "torch.bool .*expected plain numbers"),
        ("0.weight", torch.ones(SHAPE, dtype=torch.complex64), "complex64 .*expected plain"),
        ("0.weight", torch.ones(SHAPE).to_sparse(), "torch.sparse_coo.*expected plain numbers"),
        ("0.weight", torch.ones(SHAPE, device="meta"), "no values, expected plain numbers"),
    ],
)
def test_values_that_can_not_be_computed_with_are_named(tmp_path, name, values, message):
    before = state_sha256(module := small())
    with pytest.raises(
        WeightsError, match=rf"w\.pth fits small, but(?s:.*)\n  {name}: .*{message}"
    ):
        load_into(module, with_values(name, values), "small", tmp_path / "w.pth")
    assert state_sha256(module) == before


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_read(tmp_path, dtype):
    module = small()
    state = {name: tensor.to(dtype) for name, tensor in small().state_dict().items()}
    load_into(module, state, "small", tmp_path)
    assert torch.equal(module[0].weight, state["0.weight"].float())


def with_values(name, values):
    return {**small().state_dict(), name: values}
