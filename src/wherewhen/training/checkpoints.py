"""Checkpoints: everything needed to go on as if nothing had happened, written whole or not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

NAME = "checkpoint.pt"


class CheckpointError(ValueError):
    """A checkpoint that cannot be read, or belongs to another run."""


class Checkpoints:
    """The last checkpoint of one run, in a folder of its own: ``<root>/<fingerprint>/``.

    The fingerprint is of everything that has influence on the result, so that a run with other
    parameters has another folder and never goes on from here.

    Parameters
    ----------
    root
        Folder of all runs.
    fingerprint
        Of this one.
    """

    def __init__(self, root: Path | str, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self.path = Path(root) / fingerprint / NAME

    def save(self, state: dict[str, Any]) -> None:
        """Replace the last checkpoint; being killed meanwhile leaves the old one.

        Parameters
        ----------
        state
            Tensors, numbers, strings and containers of them.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        try:
            with temporary.open("wb") as file:
                torch.save({"fingerprint": self.fingerprint, "state": state}, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(self.path.parent)

    def load(self) -> dict[str, Any] | None:
        """Read the last checkpoint's state, on the CPU; None if there is none.

        Raises
        ------
        CheckpointError
            If the file is damaged or belongs to a run with other parameters.
        """
        if not self.path.exists():
            return None
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
            found, state = content["fingerprint"], content["state"]
        except Exception as error:
            raise CheckpointError(
                f"{self.path} cannot be read as a checkpoint ({error}); delete it to train from "
                f"the start"
            ) from error
        if found != self.fingerprint:
            raise CheckpointError(
                f"{self.path} belongs to run {found}, not to {self.fingerprint}: it was moved; "
                f"delete it to train from the start"
            )
        return state


def _sync_folder(folder: Path) -> None:
    """Make the new name durable, where folders can be synchronised (not on Windows)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
