"""Where networks compute; importing this does not import torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Device = Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]
"""``auto``: a GPU if there is one; or ``cpu``, ``cuda``, ``cuda:1``."""


def usable_device(device: str) -> str:
    """Resolve ``auto``, and refuse a GPU that isn't there.

    Parameters
    ----------
    device : str
        A `Device`.

    Returns
    -------
    str
        ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    ValueError
        If torch does not see the GPU.

    Examples
    --------
    >>> usable_device("cpu")
    'cpu'
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda"):
        number, there = int(device.partition(":")[2] or 0), torch.cuda.device_count()
        if number >= there:
            raise ValueError(
                f"device is {device}, but torch sees {there} GPU(s) here: use auto or cpu"
            )
    return device
