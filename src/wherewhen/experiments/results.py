"""What is finished: the results of variants, read from the folders that trials left them in.

A trial counts as finished when its record is there. It is written last, and taken away before the
trial is run again, so nothing half-made is ever read.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict

from wherewhen.experiments.variants import Variant
from wherewhen.project import project_root

RECORD = "done.json"

COLUMNS = ["dataset", "protocol", "trial", "features", "metric", "measure", "value"]
"""Of a table of scores."""


class Done(BaseModel):
    """The record of a finished trial."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    variant: str
    """The variant's key."""
    dataset: str
    """What the data set is called."""
    trial: str
    """``trial_00`` ..."""
    data: str
    """Fingerprint of the data set, and of the one trained on where that is another."""
    split: str
    """Fingerprint of the trial's split."""
    parameters: dict[str, Any]
    """The parameters that decide the numbers, seeds among them."""
    commit: str
    """The commit that ran."""
    seconds: float
    """What the trial took, the stages that trials share not counted."""
    finished: str
    """When, in ISO 8601, UTC."""
    mlflow_run_id: str | None = None
    """The MLflow run with its parameters, losses and scores."""


class Results:
    """The finished trials of a data set.

    Parameters
    ----------
    root : Path, optional
        The project's root; None: that of the working directory.
    dataset : str
        The data set's name: its folder under each layer of ``data/``.
    """

    def __init__(self, root: Path | None, dataset: str) -> None:
        self.root = root or project_root()
        self.dataset = dataset

    @property
    def records_folder(self) -> Path:
        """The folder of all variants' records."""
        return self.root / "data/08_reporting" / self.dataset / "variants"

    def trials(self, variant: Variant | str) -> list[str]:
        """Name a variant's finished trials.

        If the data changed in between, those on other data than the trial finished last don't
        count: a mean over them would mislead.
        """
        done = self._records(variant)
        if not done:
            return []
        newest = max(done.values(), key=lambda record: record.finished)
        return [trial for trial, record in done.items() if record.data == newest.data]

    def done(self, variant: Variant | str, trial: str) -> Done | None:
        """Return the record of a trial; None if it is not finished."""
        try:
            text = self.record_path(variant, trial).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        return Done.model_validate_json(text)

    def scores(self, variant: Variant | str) -> pd.DataFrame:
        """Return the scores of all finished trials.

        Returns
        -------
        pandas.DataFrame
            Columns ``dataset, protocol, trial, features, metric, measure, value`` (fractions);
            empty where no trial is finished.
        """
        tables = [self.of_trial(self.done(variant, trial)) for trial in self.trials(variant)]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)

    def of_trial(self, done: Done) -> pd.DataFrame:
        """Return the scores of the trial that a record is of, as `scores` does."""
        folder = self.output(done.variant, done.trial)
        features = done.parameters["embed"]["features"]
        tables = [pd.read_parquet(folder / f"scores_{name}.parquet") for name in features]
        return pd.concat(tables, ignore_index=True)[COLUMNS]

    def rankings(self, variant: Variant | str, trial: str, features: str) -> pd.DataFrame:
        """Return a finished trial's rankings.

        Returns
        -------
        pandas.DataFrame
            Columns ``trial, features, metric, probe, rank, gallery, distance, correct`` and who
            they are.
        """
        return self._table(variant, trial, f"rankings_{features}")

    def embeddings(self, variant: Variant | str, trial: str, features: str) -> pd.DataFrame:
        """Return a finished trial's embeddings: windows and their ``vector``."""
        return self._table(variant, trial, f"embeddings_{features}")

    def history(self, variant: Variant | str, trial: str) -> pd.DataFrame:
        """Return the losses by step of a finished trial that trained a network."""
        return pd.read_parquet(self._newest(variant, trial, "history.parquet"))

    def network_path(self, variant: Variant | str, trial: str) -> Path:
        """Return the file of the network that a finished trial trained."""
        return self._newest(variant, trial, "network.safetensors")

    def record_path(self, variant: Variant | str, trial: str) -> Path:
        """Return where a trial's record is, or will be."""
        return self.folder("08_reporting", variant) / trial / RECORD

    def output(self, variant: Variant | str, trial: str) -> Path:
        """Return the folder of a trial's embeddings, scores and rankings."""
        return self.folder("07_model_output", variant) / trial

    def folder(self, layer: str, variant: Variant | str) -> Path:
        """Return a variant's folder in one of the layers of ``data/``."""
        key = variant if isinstance(variant, str) else variant.key
        return self.root / "data" / layer / self.dataset / "variants" / key

    def record(self, done: Done) -> None:
        """Write a trial's record; it appears whole or not at all."""
        path = self.record_path(done.variant, done.trial)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.tmp")
        partial.write_text(done.model_dump_json(indent=2) + "\n", encoding="utf-8")
        partial.replace(path)

    def forget(self, variant: Variant | str, trial: str) -> None:
        """Take a trial's record away: it is about to be run again."""
        self.record_path(variant, trial).unlink(missing_ok=True)

    def data_fingerprint(self) -> str | None:
        """Return the fingerprint of the data set as it was ingested last; None before that."""
        reports = sorted(
            (self.root / "data/02_intermediate" / self.dataset).glob(
                "ingest_report.json/*/ingest_report.json"
            )
        )
        if not reports:
            return None
        return json.loads(reports[-1].read_text(encoding="utf-8")).get("fingerprint")

    def split_fingerprints(self, variant: Variant | str) -> dict[str, str]:
        """Return the fingerprints of a variant's splits, by trial; none before they are drawn."""
        path = self.folder("05_model_input", variant) / "split_fingerprints.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

    def _records(self, variant: Variant | str) -> dict[str, Done]:
        folder = self.folder("08_reporting", variant)
        names = sorted(path.parent.name for path in folder.glob(f"*/{RECORD}"))
        records = {name: self.done(variant, name) for name in names}
        return {name: record for name, record in records.items() if record is not None}

    def _finished(self, variant: Variant | str, trial: str) -> None:
        if self.done(variant, trial) is None:
            key = variant if isinstance(variant, str) else variant.key
            there = ", ".join(self.trials(variant)) or "none"
            raise LookupError(
                f"{trial} of variant {key} on {self.dataset} is not finished (finished: {there}); "
                "run the experiment"
            )

    def _table(self, variant: Variant | str, trial: str, name: str) -> pd.DataFrame:
        self._finished(variant, trial)
        path = self.output(variant, trial) / f"{name}.parquet"
        if not path.is_file():
            there = sorted(file.stem for file in path.parent.glob("*.parquet"))
            raise LookupError(f"no {path.name} in {path.parent}: it has {', '.join(there)}")
        return pd.read_parquet(path)

    def _newest(self, variant: Variant | str, trial: str, name: str) -> Path:
        """Return the newest version of a versioned file of the models' layer."""
        self._finished(variant, trial)
        folder = self.folder("06_models", variant) / trial / name
        versions = sorted(folder.glob(f"*/{name}"))
        if not versions:
            raise LookupError(f"no {name} under {folder}: the variant trains no network of its own")
        return versions[-1]
