"""The Optuna study of a sweep: an SQLite file, resumed without a trace of interruptions.

Proposals depend only on the seed and on the finished evaluations, so a sweep that was killed and
restarted proposes what it would have proposed. An Optuna trial is called an evaluation here,
because a trial is a split of the data everywhere else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wherewhen import databases
from wherewhen.experiments.config import ExperimentError
from wherewhen.sweeps.config import Sweep

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

    from wherewhen.sessions import Tree

ERROR = "error"
"""User attribute of an evaluation that failed, as opposed to one that was killed: its message."""

RUN = "mlflow_run_id"
"""User attribute of an evaluation: its MLflow run."""


KEPT = "All that was made is kept: the sweep, started again, takes it over"
"""What a fault of the study leaves."""


class StudyError(ExperimentError):
    """The file of a study can't be used."""


@dataclass(frozen=True)
class Outcome:
    """A sweep and its study."""

    sweep: Sweep
    """The search."""
    study: Study
    """All evaluations."""
    folder: Path
    """Folder of the table and the plots."""
    given: Tree
    """Parameters of ``--params``, nested."""
    persons: list[int]
    """Validation persons of each split."""


def open_study(database: Path, name: str, sweep: Sweep) -> Study:
    """Open or create a study.

    Evaluations that are still marked as running belong to a killed process and are marked as
    failed: the caller holds the study's lock.

    Parameters
    ----------
    database : Path
        The SQLite file.
    name : str
        The study's name.
    sweep : Sweep
        Gives the direction and the pruner.

    Raises
    ------
    StudyError
        If the file can't be used.
    """
    import optuna
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = (
        optuna.pruners.MedianPruner(n_startup_trials=sweep.pruner.startup)
        if sweep.pruner
        else optuna.pruners.NopPruner()
    )
    require_usable(database)
    try:
        study = optuna.create_study(
            storage=f"sqlite:///{database}",
            study_name=name,
            direction=sweep.direction,
            pruner=pruner,
            load_if_exists=True,
        )
    except RuntimeError as error:  # its tables are of another version of Optuna
        raise StudyError(f"{database}: {error}") from error
    databases.remember(database)
    for killed in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(killed.number, state=TrialState.FAIL)
    return study


def require_usable(database: Path) -> None:
    """Refuse a file that Optuna can't write a study to.

    Raises
    ------
    StudyError
        Naming the file, its fault and what to do.
    """
    if reason := databases.fault(database, judge=partial(_fault_of_its_tables, database)):
        raise StudyError(f"the study of the sweep can't be used: {reason}. {KEPT}")


def _fault_of_its_tables(path: Path, database: sqlite3.Connection) -> str | None:
    tables = databases.tables(database)
    if not tables or "studies" in tables:
        return None
    return f"{path} is a database, and not Optuna's: move it away"


@contextmanager
def understood(database: Path) -> Iterator[None]:
    """Say what to do where the study's file fails in the middle of a sweep."""
    try:
        yield
    except storage_errors() as error:
        require_usable(database)
        raise StudyError(f"the study of the sweep in {database} fails: {error}. {KEPT}") from error


def storage_errors() -> tuple[type[Exception], ...]:
    """Return what Optuna raises where a study's file fails."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    return StorageInternalError, SQLAlchemyError


def finished(study: Study) -> list[FrozenTrial]:
    """Return the evaluations that are not repeated: complete, pruned, or failed with an error."""
    return [
        each
        for each in study.get_trials(deepcopy=False)
        if each.state.name in ("COMPLETE", "PRUNED") or ERROR in each.user_attrs
    ]


def propose(study: Study, sweep: Sweep) -> Trial:
    """Start the next evaluation, with a sampler seeded by the number of finished ones."""
    from optuna.samplers import RandomSampler, TPESampler

    entropy = [sweep.sampler.seed, len(finished(study))]
    seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    study.sampler = (
        RandomSampler(seed=seed)
        if sweep.sampler.name == "random"
        else TPESampler(seed=seed, n_startup_trials=sweep.sampler.startup)
    )
    return study.ask({path: space.distribution() for path, space in sweep.search.items()})
