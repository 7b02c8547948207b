"""Files of weights: what is read, and what hostile and damaged files are said to be."""

import argparse
import datetime
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
from safetensors.torch import save, save_file
from torch import nn

from wherewhen.features.checkpoint_files import WeightsError, read_checkpoint
from wherewhen.features.fitting import load_into, state_sha256
from wherewhen.features.weights import WeightsSource, checkpoint_path
from wherewhen.tensor_headers import LARGEST_HEADER


def small(channels=4):
    return nn.Sequential(nn.Conv2d(3, channels, 3), nn.BatchNorm2d(channels))


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


# --- hostile files -------------------------------------------------------------------------------

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"


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


def test_two_tensors_by_one_name_are_refused(tmp_path):
    torch.save({"a": {"b": torch.ones(2)}, "a.b": torch.zeros(2)}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"two tensors by the name a\.b: rename one"):
        read_checkpoint(tmp_path / "w.pth")


def test_containers_in_containers_are_read_once(tmp_path):
    content = [torch.ones(2)]
    for _ in range(30):
        content = [content] * 10
    torch.save({"net": small().state_dict(), "other": content}, tmp_path / "w.pth")
    assert len(read_checkpoint(tmp_path / "w.pth")) == 7
