"""Kedro's catalog, whose versions are identities and which checks what it loads.

``versioned: true`` keeps an artifact of every identity, in a folder of that name; other files are
overwritten. Both have a record. Loading gives what the parameters of the session ask for, or an
error: never what happens to be there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, AbstractVersionedDataset, DataCatalog, Version

from wherewhen.files import DISK, Files

if TYPE_CHECKING:
    from wherewhen.lineage.ledger import Ledger

PARAMETER = "params:"

UNKNOWN = "not-made"
"""Version of an artifact whose identity is not known yet, because an input is still to be made."""


class Catalog(DataCatalog):
    """A catalog of artifacts with records, which `ledger` knows once parameters are given."""

    ledger: Ledger | None = None

    def unbound(self, name: str) -> AbstractDataset:
        """Return a data set as it is configured; one in memory where nothing is."""
        return super().get(name, fallback_to_runtime_pattern=True)

    def get(
        self,
        key: str,
        fallback_to_runtime_pattern: bool = False,
        version: Version | None = None,
    ) -> AbstractDataset | None:
        """Return a data set that loads and saves what the parameters ask for."""
        dataset = super().get(key, fallback_to_runtime_pattern, version)
        if dataset is not None and version is None and self._is_an_artifact(key):
            bind(dataset, self.ledger.version(key), self.ledger.files)
        return dataset

    def load(self, ds_name: str, version: str | None = None) -> Any:
        """Load what the parameters ask for.

        Raises
        ------
        wherewhen.lineage.ledger.NotMade
            If that is not there, is out of date, or was changed after it was made.
        """
        if version is None and self._is_an_artifact(ds_name) and self._is_made(ds_name):
            self.ledger.record(ds_name)
        return super().load(ds_name, version)

    def save(self, ds_name: str, data: Any) -> None:
        """Save what the parameters ask for."""
        try:
            super().save(ds_name, data)
        except Exception as error:
            if file := file_of(self.get(ds_name)):
                error.add_note(f"while {file} was written")
            raise

    def _is_an_artifact(self, name: str) -> bool:
        return self.ledger is not None and not name.startswith(PARAMETER) and name != "parameters"

    def _is_made(self, name: str) -> bool:
        return self.ledger.maker(name) is not None and self.ledger.is_kept(name)


def is_versioned(dataset: AbstractDataset) -> bool:
    """Whether a data set keeps an artifact of every identity, not the last one alone."""
    return isinstance(dataset, AbstractVersionedDataset) and dataset._version is not None


def file_of(dataset: AbstractDataset, identity: str | None = None) -> Path | None:
    """Return the file, or the workspace, of a data set; None if it is kept in memory."""
    base = getattr(dataset, "_filepath", None)
    if base is None:
        return None
    path = Path(str(base))
    if identity is None:
        return path
    if getattr(dataset, "IS_WORKSPACE", False):
        return path / identity
    return path / identity / path.name if is_versioned(dataset) else path


def bind(dataset: AbstractDataset, version: str, files: Files = DISK) -> None:
    """Let a data set load and save the artifact of an identity, where it is kept."""
    if hasattr(dataset, "files"):
        dataset.files = files
    if is_versioned(dataset):
        dataset._version = Version(version, version)
        dataset.release()
    elif getattr(dataset, "IS_WORKSPACE", False):
        dataset.version = version
