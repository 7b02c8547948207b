"""Files of weights: .safetensors, and those of ``torch.save``, of which no code runs."""

from __future__ import annotations

import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from wherewhen.tensor_headers import header_fault
from wherewhen.tracklets.files import FileError, displayed, open_file, shortened
from wherewhen.tracklets.zip_directory import check_directory

if TYPE_CHECKING:
    from torch import Tensor

DEEPEST = 16
"""Names before a tensor's own that are looked at: containers and prefixes."""

_SAFETENSORS = ".safetensors"
_CLEAN = """If you trust whoever made it, write its tensors alone, where all it needs is installed:
  content = torch.load({path!r}, map_location="cpu", weights_only=False)  # may run code
  torch.save(content["state_dict"], "clean.pth")  # or content["model"], content.state_dict()"""


class WeightsError(ValueError):
    """Weights that can't be had, are damaged or do not fit the backbone."""


def opened(path: Path) -> BinaryIO:
    """Open a file of weights; whatever prevents it is a `WeightsError`."""
    try:
        return open_file(path, "weights", "expected a file of torch.save or .safetensors")
    except (FileNotFoundError, FileError) as error:
        raise WeightsError(str(error)) from error


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
    with opened(path) as file:
        _check_form(path, file)
    try:
        content = _loaded(path)
    except Exception as error:  # each format and version has errors of its own
        raise _no_checkpoint(path, error) from None  # torch advises to switch its safety off
    tensors: dict[str, Tensor] = {}
    for names, tensor in _tensors(content, set()):
        if (name := ".".join(names)) in tensors:
            raise WeightsError(f"weights: {path} holds two tensors by the name {name}: rename one")
        if names:
            tensors[name] = tensor
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
    fault = header_fault(head, size)
    looks = f": {_looks(head)}" if head and head[8:9] != b"{" else ""
    return None if fault is None else fault + looks


def _zip_fault(file: BinaryIO, size: int) -> str | None:
    try:
        check_directory(file)
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
