"""Fit the tensors of a checkpoint into a network, by name."""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wherewhen.features.checkpoint_files import DEEPEST, WeightsError
from wherewhen.features.weights import ways_out

if TYPE_CHECKING:
    from torch import Tensor, nn

MISMATCHES_SHOWN = 3
WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
"""What data-parallel and compiled networks write into names, at the beginning or within."""
COUNTER = "num_batches_tracked"
"""Counts the steps of a training; some files have none."""

log = logging.getLogger(__name__)


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
        What classifiers' names begin with: they are left out, as are parts that the module does not
        have.
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
        # parts beside the backbone's that are no classifier may change what it computes
        known = all(name.startswith(heads) for name in copy.unused_inside(tensors).values())
        level = logging.INFO if known else logging.WARNING
        log.log(level, "weights of %s: left out of %s: %s", backbone, origin, _few(unused))
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

    def unused_inside(self, tensors: Iterable[str]) -> dict[str, str]:
        """Return the unused tensors behind the prefix: the file's name -> that without wrappers."""
        start = f"{self.prefix}." if self.prefix else ""
        return {
            name: _unwrapped(name.removeprefix(start).split("."))
            for name in self.unused(tensors)
            if name.startswith(start) and not name.endswith(COUNTER)
        }


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
    return {
        "missing": [n for n in wanted if n not in copy.names and not n.endswith(COUNTER)],
        "of another shape": [
            theirs for n, theirs in copy.names.items() if tensors[theirs].shape != wanted[n].shape
        ],
        "left over": [
            name
            for name, inner in copy.unused_inside(tensors).items()
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
        (tensors[one.names[n]], tensors[other.names[n]])
        for n in one.names
        if n in other.names and not n.endswith(COUNTER)
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
