"""Where networks compute; importing this does not import torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from pydantic import Field

Device = Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]
"""``auto``: a GPU if there is one; or ``cpu``, ``cuda``, ``cuda:1``."""


def usable_device(device: str, processes: int = 1) -> str:
    """Resolve ``auto``, and refuse a GPU that isn't there.

    Parameters
    ----------
    device : str
        A `Device`.
    processes : int
        Processes that compute; each takes a GPU of its own, the first ones there are.

    Returns
    -------
    str
        ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    ValueError
        If torch does not see the GPU, or fewer than processes, or one GPU is named for several.

    Examples
    --------
    >>> usable_device("cpu")
    'cpu'
    """
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        return device
    number, there = int(device.partition(":")[2] or 0), torch.cuda.device_count()
    if number >= there:
        raise ValueError(f"device is {device}, but torch sees {there} GPU(s) here: use auto or cpu")
    if processes > 1 and ":" in device:
        raise ValueError(
            f"device is {device}, one GPU, and train.training.processes is {processes}: set device "
            "to cuda, or processes to 1"
        )
    if processes > there:
        raise ValueError(
            f"train.training.processes is {processes}, one a GPU, but torch sees {there} GPU(s) "
            f"here: set processes to {there}"
        )
    return device


def set_cublas_workspace() -> None:
    """Give cuBLAS a workspace with which it is deterministic; has to be done before its first use.

    What ``CUBLAS_WORKSPACE_CONFIG`` says already stays.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@contextmanager
def deterministic_kernels() -> Iterator[None]:
    """Let torch use deterministic kernels alone for the time being, and refuse what has none.

    See Also
    --------
    torch.use_deterministic_algorithms : Lists the operations.
    """
    import torch

    set_cublas_workspace()
    before = torch.are_deterministic_algorithms_enabled()
    only_warned = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=only_warned)
