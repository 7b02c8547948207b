"""Presets: settings of the whole chain with a name, a YAML file each.

``modern.yml`` trains well, ``paper.yml`` follows the paper where it gives a value, ``frozen.yml``
is the best that is known on a frozen backbone, ``finetuned.yml`` trains the backbone, too. Another
file in this folder is another preset. A file holds parameters as ``conf`` does, by stage:
``train.network`` has fields of `wherewhen.model.config.NetworkConfig`, ``train.training`` of
`wherewhen.training.config.TrainingConfig`. What is left out keeps its default.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def preset_names() -> list[str]:
    """Name the presets that have a file in this folder."""
    return sorted(path.stem for path in FOLDER.glob("*.yml"))


def load_preset(name: str) -> dict[str, dict[str, Any]]:
    """Read a preset's file: parameters by stage, plain values that are not checked.

    Raises
    ------
    ValueError
        If there is no such file.

    Examples
    --------
    >>> load_preset("paper")["train"]["network"]["channels"]
    [128, 256, 256]

    See Also
    --------
    overlay : Lays other values over these.
    """
    if name not in preset_names():
        raise ValueError(f"unknown preset {name!r}: choose from {', '.join(preset_names())}")
    return _read(FOLDER / f"{name}.yml")


def of_training(name: str, group: str) -> dict[str, Any]:
    """Return a preset's values of a group of ``train``: ``network`` or ``training``."""
    return load_preset(name).get("train", {}).get(group, {})


@cache
def _read(file: Path) -> dict[str, dict[str, Any]]:
    """Read a file once: it takes milliseconds, and every check of parameters asks."""
    import yaml

    return yaml.safe_load(file.read_text(encoding="utf-8"))


def overlay(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Lay nested values over each other, the last uppermost: mappings merge, all else is replaced.

    Examples
    --------
    >>> paper = load_preset("paper")["train"]
    >>> changed = overlay(paper, {"network": {"channels": [32, 64, 64]}})
    >>> changed["network"]["channels"], changed["network"]["readout"]
    ([32, 64, 64], 'top')
    """
    result: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            below = result.get(name)
            both = isinstance(value, Mapping) and isinstance(below, Mapping)
            result[name] = overlay(below, value) if both else value
    return result
