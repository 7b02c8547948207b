"""Checkpoints: the state of a run, written atomically.

A checkpoint is a safetensors file whose header holds the nesting of the tensors and all other
values, as JSON. Reading one runs no code.
"""

from __future__ import annotations

import hashlib
import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from wherewhen.files import DISK, Files

NAME = "checkpoint.safetensors"
BEST = "best.safetensors"

DAMAGED = ".damaged"
"""Appended to the name of a checkpoint that can't be read."""

HEADER = "checkpoint"
"""Entry of the header: fingerprint, state and the tensors' checksum, as JSON."""


class CheckpointError(ValueError):
    """The checkpoint is damaged or belongs to another run."""


class Checkpoints:
    """The last and the best checkpoint of a run.

    Parameters
    ----------
    folder
        The run's own folder.
    fingerprint
        Fingerprint of the run's arguments; checkpoints with another one are refused.
    files
        Where they are kept.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     checkpoints = Checkpoints(folder, "run 1")
    ...     checkpoints.save({"step": 3})
    ...     checkpoints.load()
    {'step': 3}
    """

    def __init__(self, folder: Path | str, fingerprint: str, files: Files = DISK) -> None:
        self.fingerprint, self._files = fingerprint, files
        self.path = Path(folder) / NAME
        self.best_path = self.path.with_name(BEST)

    def save(self, state: dict[str, Any]) -> None:
        """Replace the last checkpoint atomically.

        Parameters
        ----------
        state
            Tensors, numbers, strings, None, and dicts, lists and tuples of them; keys are strings
            or integers.

        Raises
        ------
        TypeError
            If the state holds anything else.
        """
        self._write(self.path, state)

    def save_best(self, state: dict[str, Any]) -> None:
        """Replace the best checkpoint; see `save`."""
        self._write(self.best_path, state)

    def load(self) -> dict[str, Any] | None:
        """Read the last checkpoint's state, on the CPU; None if there is none.

        Raises
        ------
        CheckpointError
            If the file is damaged, which sets it aside, or belongs to a run with other arguments.
        """
        return self._read(self.path)

    def load_best(self) -> dict[str, Any] | None:
        """Read the best checkpoint's state; see `load`."""
        return self._read(self.best_path)

    def set_aside(self) -> None:
        """Rename both checkpoints, so that the run begins anew: ``checkpoint.safetensors.damaged``.

        One without the other is of no use.
        """
        for path in (self.path, self.best_path):
            with suppress(FileNotFoundError):
                path.replace(path.with_name(path.name + DAMAGED))

    def _write(self, path: Path, state: dict[str, Any]) -> None:
        tensors: dict[str, Tensor] = {}
        content = {
            "fingerprint": self.fingerprint,
            "state": _packed(state, "state", tensors),
            "sha256": _sha256(tensors),
        }
        header = {HEADER: json.dumps(content, allow_nan=False)}
        with self._files.replacing(path) as partial:
            save_file(_apart(tensors), partial, metadata=header)

    def _read(self, path: Path) -> dict[str, Any] | None:
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="pt", device="cpu") as file:
                content = json.loads((file.metadata() or {})[HEADER])
                found, packed = content["fingerprint"], content["state"]
                names = file.keys()
                # cloned: a memory-mapped tensor would change with the file
                tensors = {name: file.get_tensor(name).clone() for name in names}
            state = _unpacked(packed, tensors)
            if _sha256(tensors) != content["sha256"]:
                raise ValueError("its tensors do not match their checksum")
        except (OSError, MemoryError):
            raise  # the file may be whole
        except Exception as error:
            self.set_aside()
            raise CheckpointError(
                f"{path} cannot be read as a checkpoint ({error}), and was renamed to "
                f"{path.name}{DAMAGED}; run again: it trains from the start"
            ) from error
        if found != self.fingerprint:
            raise CheckpointError(
                f"{path} belongs to a run with other arguments ({found}, not {self.fingerprint}): "
                "delete it to train from the start, or choose another folder"
            )
        return state


# Numbers, strings, None and lists are written as JSON's. Other kinds are an object with one entry
# that names the kind: a tensor, a dict (with string or integer keys), a tuple, a float that is not
# finite.


def _packed(value: Any, where: str, tensors: dict[str, Tensor]) -> Any:
    """Convert a state to JSON values, and add its tensors to `tensors`.

    `where` names the part of the state, for messages and names of tensors.
    """
    if isinstance(value, Tensor):
        name = f"{len(tensors)}/{where}"
        tensors[name] = value.detach().cpu().contiguous()
        return {"tensor": name}
    if isinstance(value, dict):
        return {"dict": [_packed_item(key, item, where, tensors) for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        items = [_packed(item, f"{where}/{at}", tensors) for at, item in enumerate(value)]
        return {"tuple": items} if isinstance(value, tuple) else items
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    # integers of any size: the state of PCG64 has 128 bits
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(
        f"a checkpoint can't hold {where}, of type {type(value).__name__}: expected tensors, "
        "numbers, strings, None, and dicts, lists and tuples of them; convert it before saving"
    )


def _packed_item(key: Any, item: Any, where: str, tensors: dict[str, Tensor]) -> list[Any]:
    if type(key) not in (str, int):
        raise TypeError(
            f"a checkpoint can't hold the key {key!r} of {where}, of type {type(key).__name__}: "
            "expected a string or an integer; convert it before saving"
        )
    return [key, _packed(item, f"{where}/{key}", tensors)]


def _sha256(tensors: dict[str, Tensor]) -> str:
    """Hash the bytes of tensors, in the order of their names."""
    found = hashlib.sha256()
    for _, tensor in sorted(tensors.items()):
        found.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()


def _apart(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copy tensors that share memory with an earlier one, which safetensors refuses to write."""
    apart, seen = {}, set()
    for name, tensor in tensors.items():
        place = tensor.untyped_storage().data_ptr()
        apart[name] = tensor.clone() if place in seen else tensor
        seen.add(place)
    return apart


def _unpacked(packed: Any, tensors: dict[str, Tensor]) -> Any:
    """Convert back from `_packed`."""
    if isinstance(packed, list):
        return [_unpacked(item, tensors) for item in packed]
    if not isinstance(packed, dict):
        return packed
    ((kind, content),) = packed.items()
    match kind:
        case "tensor":
            return tensors[content]
        case "dict":
            return {key: _unpacked(item, tensors) for key, item in content}
        case "tuple":
            return tuple(_unpacked(item, tensors) for item in content)
        case "float":
            return float(content)
    raise ValueError(f"the header names the kind {kind!r}: expected tensor, dict, tuple or float")
