"""Checkpoints: everything needed to go on as if nothing had happened, written whole or not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

NAME = "checkpoint.pt"
BEST = "best.pt"


class CheckpointError(ValueError):
    """A checkpoint that cannot be read, or belongs to another run."""


class Checkpoints:
    """The last and the best checkpoint of one run, in a folder: ``<root>/<fingerprint>/``.

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
        self.best_path = self.path.with_name(BEST)

    def save(self, state: dict[str, Any]) -> None:
        """Replace the last checkpoint; being killed meanwhile leaves the old one.

        Parameters
        ----------
        state
            Tensors, numbers, strings and containers of them.
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
            If the file is damaged or belongs to a run with other parameters.
        """
        return self._read(self.path)

    def load_best(self) -> dict[str, Any] | None:
        """Read the best checkpoint's state; see `load`."""
        return self._read(self.best_path)

    def _write(self, path: Path, state: dict[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        try:
            with temporary.open("wb") as file:
                torch.save({"fingerprint": self.fingerprint, "state": state}, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)

    def _read(self, path: Path) -> dict[str, Any] | None:
        if not path.exists():
            return None
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            found, state = content["fingerprint"], content["state"]
        except Exception as error:
            raise CheckpointError(
                f"{path} cannot be read as a checkpoint ({error}); delete it to train from the "
                f"start"
            ) from error
        if found != self.fingerprint:
            raise CheckpointError(
                f"{path} belongs to run {found}, not to {self.fingerprint}: it was moved; delete "
                f"it to train from the start"
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
