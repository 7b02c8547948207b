"""Settings judged on validation persons: what a sweep does instead of looking at test persons.

A trial's test persons can't have a say. The split that is judged on is derived from the rows of the
training persons (`wherewhen.tracklets.splits.validation_split`); cubes and frames of anybody else
are not made, and can't be read. The stages are those of a run, kept in memory.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from wherewhen.experiments.config import ExperimentError
from wherewhen.experiments.engine import OF_A_TRIAL
from wherewhen.experiments.sweep_config import Sweep
from wherewhen.experiments.tracking import quiet
from wherewhen.experiments.variants import needs_cubes
from wherewhen.features.limited_cubes import LimitedCubes
from wherewhen.pipeline_registry import build_pipelines
from wherewhen.pipelines.parameters import ExtractParameters, Parameters
from wherewhen.pipelines.split.nodes import split as draw_all
from wherewhen.tracklets.fingerprint import fingerprint
from wherewhen.tracklets.splits import split_fingerprint, validation_split


class UnknownMeasure(ExperimentError):
    """A measure that the scores don't have."""


@dataclass(frozen=True)
class Tables:
    """A data set as it was ingested."""

    tracklets: pd.DataFrame
    """`schema.TRACKLETS`."""
    frames: pd.DataFrame
    """`schema.FRAMES`."""
    root: str
    """The folder that the frames' paths are relative to."""

    def only(self, tracklets: set[str]) -> Tables:
        """Return the rows of some tracklets."""
        kept = (
            table[table["tracklet"].isin(tracklets)].reset_index(drop=True)
            for table in (self.tracklets, self.frames)
        )
        return Tables(*kept, self.root)


OpenCubes = Callable[[Tables, ExtractParameters, set[str]], Any]
"""Gives the cubes of some tracklets of a data set."""


class Judge:
    """Judges parameters on the validation persons of some trials.

    Parameters
    ----------
    sweep : Sweep
        Says which numbers count, and how many persons are held out.
    common : Parameters
        What all evaluations have in common: the split follows from it.
    tables : Tables
        The data set.
    open_cubes : callable
        Makes what is missing of cubes; see `stored_cubes`.
    workspace : Path
        A folder for checkpoints: a killed evaluation that is judged again goes on from there.

    Attributes
    ----------
    splits : dict of str to pandas.DataFrame
        By trial, training and validation persons in the roles of training and test persons.
    """

    def __init__(
        self,
        sweep: Sweep,
        common: Parameters,
        tables: Tables,
        open_cubes: OpenCubes,
        workspace: Path,
    ) -> None:
        self._sweep, self._tables, self._open_cubes = sweep, tables, open_cubes
        self._workspace = workspace
        self._cubes: dict[str, Any] = {}
        parameters = common.split.model_copy(update={"trials": sweep.trials})
        protocol = common.evaluate.protocol
        splits, _ = draw_all(tables.tracklets, tables.root, parameters, protocol)
        self.splits = {
            str(trial): validation_split(
                split,
                sweep.validation,
                seed=sweep.sampler.seed + number,
                protocol=protocol,
                probe_camera=parameters.probe_camera,
                gallery_camera=parameters.gallery_camera,
            )
            for number, (trial, split) in enumerate(splits.groupby("trial"))
        }

    @cached_property
    def fingerprint(self) -> str:
        """Name who teaches and who judges."""
        return fingerprint([split_fingerprint(split) for split in self.splits.values()])

    @property
    def persons(self) -> list[int]:
        """How many persons judge in each trial."""
        return [split[split.role == "probe"].person.nunique() for split in self.splits.values()]

    def judge(self, parameters: Parameters, trial: str) -> float:
        """Run the stages of a trial on its derived split, and return the measure.

        Raises
        ------
        UnknownMeasure
            If the scores have no such number.
        """
        scores = self.scores(parameters, trial)
        sweep = self._sweep
        of_metric = scores[scores.metric == sweep.metric].set_index("measure").value
        if sweep.measure not in of_metric:
            raise UnknownMeasure(
                f"sweep {sweep.name}: {sweep.metric} on {sweep.features} has no measure "
                f"{sweep.measure}; it has {', '.join(of_metric.index) or 'none'}"
            )
        return float(of_metric[sweep.measure])

    def scores(self, parameters: Parameters, trial: str) -> pd.DataFrame:
        """Run the stages of a trial on its derived split, and return all scores."""
        from kedro.io import DataCatalog, MemoryDataset
        from kedro.runner import SequentialRunner

        wanted = f"{trial}.scores_{self._sweep.features}"
        stages = _stages(parameters, self._sweep.trials, wanted)
        checkpoints = self._workspace / trial
        checkpoints.mkdir(parents=True, exist_ok=True)
        inputs = self._inputs(parameters, trial) | {f"{trial}.checkpoints": checkpoints}
        data = dict.fromkeys(stages.all_outputs()) | {
            name: inputs[name] if name in inputs else _parameter(parameters, name)
            for name in stages.inputs()
        }
        catalog = DataCatalog(
            {
                name: MemoryDataset(*([] if value is None else [value]), copy_mode="assign")
                for name, value in data.items()
            }
        )
        with quiet():
            SequentialRunner().run(stages, catalog)
        scores = catalog.load(wanted)
        shutil.rmtree(checkpoints)
        return scores

    def _inputs(self, parameters: Parameters, trial: str) -> dict[str, Any]:
        """Return what the stages read: nothing of anybody who is not in the derived split."""
        split = self.splits[trial]
        seen = set(split.tracklet)
        limited = self._tables.only(seen)
        cubes = self._cubes_of(parameters.extract, seen) if needs_cubes(parameters) else None
        return {
            f"{trial}.split": split,
            "tracklets": limited.tracklets,
            "frames": limited.frames,
            "frames_root": limited.root,
            "cubes": cubes,
        }

    def _cubes_of(self, parameters: ExtractParameters, seen: set[str]) -> LimitedCubes:
        key = fingerprint([parameters.model_dump(mode="json"), sorted(seen)])
        if key not in self._cubes:
            cubes = self._open_cubes(self._tables, parameters, seen)
            self._cubes = {**self._cubes, key: LimitedCubes(cubes, seen)}
        return self._cubes[key]


def stored_cubes(folder: Path) -> OpenCubes:
    """Return a function that opens the cube store of a data set, and first makes what it lacks.

    Parameters
    ----------
    folder : Path
        Of all the data set's stores: what runs have made is there already.
    """

    def open_cubes(tables: Tables, parameters: ExtractParameters, seen: set[str]) -> Any:
        from wherewhen.features.cube_store import CubeStore
        from wherewhen.features.extraction import fill
        from wherewhen.pipelines.extract.nodes import plan_extraction

        # all frames name the store, which is that of a run; the cubes of those seen are made
        plan, _ = plan_extraction(tables.root, tables.tracklets, tables.frames, parameters)
        store = CubeStore.create(folder, plan.identity)
        fill(store, replace(plan, kept=seen))
        return CubeStore(store.folder)

    return open_cubes


def _stages(parameters: Parameters, trials: int, wanted: str) -> Any:
    """Build the stages of a trial as a run does, as far as one table of scores needs them."""
    split = parameters.split.model_copy(update={"trials": trials})
    stages = build_pipelines(parameters.model_copy(update={"split": split}))
    first, *others = (stages[name] for name in OF_A_TRIAL)
    return sum(others, start=first).to_outputs(wanted)


def _parameter(parameters: Parameters, name: str) -> Any:
    """Return a group of the typed parameters by its name in the catalog."""
    value: Any = parameters
    for part in name.removeprefix("params:").split("."):
        value = getattr(value, part)
    return value
