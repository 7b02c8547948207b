"""Records: what an artifact was made of, in a small file beside it that is written last.

An artifact without a record was not finished; one whose content differs from its record was changed
afterwards. Neither is ever used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from wherewhen.files import DISK, Files
from wherewhen.lineage.content import content_of_artifact

NAME = "record.json"


class Record(BaseModel):
    """What went into an artifact, and what came out."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    artifact: str
    """Its name in the catalog."""
    identity: str
    """Hash of `function`, `code`, `parameters` and `inputs`."""
    node: str
    """The node that made it."""
    function: str
    """The function of the node, with the arguments that are bound to it."""
    code: str
    """Version of the code behind the function."""
    parameters: dict[str, Any]
    """The parameters that the node reads, those left out that say only how."""
    inputs: dict[str, str]
    """By name in the catalog, the content of what the node read."""
    content: str
    """sha256 of the artifact's bytes; of a folder, of the names and bytes of its files."""
    counts: str
    """What stands for the content in what is made of it: the sha256, for nearly all artifacts."""
    size: int
    """Bytes."""
    commit: str
    """The commit that ran; `+` behind it if the working tree differed from it."""
    versions: dict[str, str]
    """Of the packages that computed."""
    run_id: str | None = None
    """The MLflow run."""
    model_id: str | None = None
    """The MLflow model, if the artifact was logged as one."""
    started: str
    """When the node began, in ISO 8601, UTC."""
    finished: str
    """When the artifact was whole."""

    def write(self, path: Path, files: Files = DISK) -> None:
        """Write the record; it appears whole or not at all."""
        with files.replacing(path) as partial:
            partial.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read a record; None if there is none, or if it is damaged."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None

    def fits(self, file: Path) -> bool:
        """Whether a file still has the content that was recorded."""
        return content_of_artifact(file) == self.content


def record_path(file: Path, versioned: bool) -> Path:
    """Return where the record of an artifact's file is, or will be."""
    return file.with_name(NAME) if versioned else file.with_name(f"{file.name}.{NAME}")


def differences(before: Record, now: dict[str, Any]) -> list[str]:
    """Say in what the making of an artifact differs from how it was made before.

    Parameters
    ----------
    before : Record
        How it was made.
    now : dict
        ``function``, ``code``, ``parameters`` and ``inputs`` of how it is to be made.

    Returns
    -------
    list of str
        One line a difference: ``train.training.learning_rate 0.001 -> 0.01``, ``cubes changed``,
        ``its code changed``; of another function that alone, since it has parameters of its own.
    """
    then, said = before.model_dump(), []
    if then["function"] != now["function"]:
        return [f"made by {then['function']}, now by {now['function']}"]
    old, new = (flat(each["parameters"]) for each in (then, now))
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            said.append(f"{name} {_shown(old, name)} -> {_shown(new, name)}")
    inputs = {*then["inputs"], *now["inputs"]}
    changed = [name for name in inputs if then["inputs"].get(name) != now["inputs"].get(name)]
    said += [f"{name} changed" for name in sorted(changed)]
    if then["code"] != now["code"]:
        said.append("its code changed")
    return said


def flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Spell nested parameters with dots; an empty mapping is a value.

    Examples
    --------
    >>> flat({"embed": {"frames": 128, "baselines": {}}})
    {'embed.frames': 128, 'embed.baselines': {}}
    """
    if not isinstance(tree, Mapping) or not tree:
        return {prefix.removesuffix("."): tree}
    return {
        path: value
        for name, inner in tree.items()
        for path, value in flat(inner, f"{prefix}{name}.").items()
    }


def _shown(values: dict[str, Any], name: str) -> str:
    return json.dumps(values[name], ensure_ascii=False) if name in values else "(none)"
