"""Logging to MLflow (the Kedro side): one run per command, with all that made its numbers.

A run has the parameters as the stages saw them, the command, environment, commit and data; scores
as means, deviations and by trial; and of every artifact behind them the file, its hash, and the run
that made it.
"""

from __future__ import annotations

import atexit
import json
import logging
import math
import os
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from wherewhen import databases
from wherewhen.project import project_root, to_root
from wherewhen.tracklets.folders import listed

Found = TypeVar("Found")

log = logging.getLogger(__name__)

BATCH = {"metrics": 500, "params": 100, "tags": 100}
"""Entities in one request; MLflow takes no more parameters or tags at a time."""

LONGEST_PARAMETER = 6000
"""Characters; a longer one stands in ``parameters.yml`` alone."""

HEADLINES = ("rank-1", "rank-5", "rank-10", "rank-20", "mAP", "mAP-trapezoid", "eer", "ece")
"""The measures that become metrics; a curve's other points stand in the table of scores."""

HOST, PROCESS, STARTED = "host", "process", "process_started"
"""Tags by which a run whose process has died is found."""

TAKEN_OVER = "taken_over."
"""Prefix of tags: the artifact that was there already, and the run that made it."""


class TrackingError(RuntimeError):
    """MLflow can't be reached or used."""


@dataclass
class Description:
    """Name and tags of a session's run, from a command that runs several sessions."""

    name: str
    """Of the MLflow run."""
    tags: Mapping[str, str] = field(default_factory=dict)
    command: str | None = None
    """What repeats it; None: the ``kedro run`` with the same parameters."""
    run_id: str | None = None
    """Of the run, once it is started."""


_described: ContextVar[Description | None] = ContextVar("described", default=None)


@contextmanager
def described(description: Description) -> Iterator[Description]:
    """Let the sessions that are run meanwhile be named, tagged and found as described."""
    token = _described.set(description)
    try:
        yield description
    finally:
        _described.reset(token)


def is_described() -> bool:
    """Whether a session is one of several that a command runs."""
    return _described.get() is not None


def tracking_uri() -> str:
    """Return ``MLFLOW_TRACKING_URI`` when it is set, else an SQLite file under the root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{project_root() / 'mlflow.db'}"


def artifact_root() -> str:
    """Return where artifacts of a new MLflow experiment go when no server decides that."""
    return os.environ.get("WHEREWHEN_ARTIFACTS") or (project_root() / "mlartifacts").as_uri()


def experiment_id(dataset: str) -> str:
    """Connect to MLflow and return the experiment of a data set, made if it is not there.

    Raises
    ------
    TrackingError
        If MLflow's database is damaged, locked, of another version, or can't be reached.
    """
    if reason := fault():
        raise TrackingError(_cannot_be_used(reason))
    with understood():
        found = client().get_experiment_by_name(dataset)
        if found is None:
            made = client().create_experiment(dataset, artifact_location=artifact_root())
        else:
            made = found.experiment_id
            if found.lifecycle_stage != "active":
                client().restore_experiment(made)
    if path := _database():
        databases.remember(path)
    return made


def client() -> Any:
    """Return MLflow's client."""
    import mlflow

    mlflow.set_tracking_uri(tracking_uri())
    return mlflow.MlflowClient()


def fault(patience: float = databases.PATIENCE) -> str | None:
    """Say why MLflow can't be told anything now, and what to do; None if it can.

    Parameters
    ----------
    patience : float
        Seconds to wait for another process that holds the database, or for a server's answer.
    """
    if path := _database():
        return databases.fault(path, patience, _fault_of_its_tables)
    try:
        with _impatient(patience):
            client().search_experiments(max_results=1)
    except _failures() as error:
        return f"{tracking_uri()} does not answer ({_first_cause(error)}): start the server again"
    return None


@contextmanager
def understood() -> Iterator[None]:
    """Say what to do where MLflow can't be used."""
    try:
        yield
    except _failures() as error:
        reason = fault(patience=1) or f"{tracking_uri()}: {_first_cause(error)}"
        raise TrackingError(_cannot_be_used(reason)) from error


def _cannot_be_used(reason: str) -> str:
    return f"MLflow can't be used: {reason}. MLFLOW_TRACKING_URI names another place"


def _failures() -> tuple[type[Exception], ...]:
    """Return what MLflow raises where its database, server or disk fails."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError, OSError


def _first_cause(error: BaseException) -> str:
    """Return the first line of what the database itself, or the network, has said."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


@contextmanager
def _impatient(seconds: float) -> Iterator[None]:
    """Let MLflow ask a server once, and not wait for it as long as it would."""
    hurried = {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(max(1, round(seconds))),
    }
    before = {name: os.environ.get(name) for name in hurried}
    os.environ.update(hurried)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _database() -> Path | None:
    """Return MLflow's SQLite file; None if it has a server, or another database."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(tracking_uri())
    except ArgumentError:
        return None
    is_file = url.get_backend_name() == "sqlite" and url.database
    return Path(url.database).absolute() if is_file else None


def _fault_of_its_tables(database: sqlite3.Connection) -> str | None:
    """Say whether a database is not one of this MLflow's."""
    path, there = _database(), databases.tables(database)
    if there and "experiments" not in there:
        return f"{path} is a database, and not MLflow's: move it away"
    if "alembic_version" not in there:
        return None  # MLflow makes what is missing
    from mlflow import __version__
    from mlflow.store.db.utils import _get_latest_schema_revision

    found = {name for (name,) in database.execute("SELECT version_num FROM alembic_version")}
    if found <= {_get_latest_schema_revision()}:
        return None
    if found <= _known_revisions():
        return (
            f"{path} is of an older MLflow. Copy it, then run `mlflow db upgrade "
            f"{tracking_uri()}`, or move it away with its runs"
        )
    return (
        f"{path} is of a newer MLflow than {__version__}: install that one, or move the file away "
        "with its runs"
    )


def _known_revisions() -> set[str]:
    """Return the versions of MLflow's tables that this MLflow knows how to upgrade."""
    import mlflow

    files = Path(mlflow.__file__).with_name("store") / "db_migrations" / "versions"
    return {file.name.partition("_")[0] for file in files.glob("*_*.py")}


class Tracker:
    """A run of MLflow, and what is logged to it.

    Where MLflow fails meanwhile, the work goes on: what could not be sent waits, is sent when
    MLflow can be used again, and is named by `require_told` if it never can.

    Parameters
    ----------
    run_id : str
        The run.

    See Also
    --------
    Tracker.start : Starts the run of a Kedro session.
    Tracker.of_its_own : Starts a run for a table or a sweep.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id, self._client = run_id, client()
        self._waiting: list[tuple[str, Callable[[], object]]] = []
        self._lost: dict[str, str] = {}
        self._broken: str | None = None
        self._sending = threading.RLock()

    @classmethod
    def start(cls, dataset: str, name: str, tags: Mapping[str, str]) -> Self:
        """Start a run as the active one, and end those whose processes have died.

        A command that runs several sessions gives their names and tags (`described`).

        Parameters
        ----------
        dataset : str
            The data set: the name of the MLflow experiment.
        name : str
            The run's name.
        tags : mapping
            Its tags.

        Raises
        ------
        TrackingError
            If MLflow can't be used.
        """
        import mlflow

        description = _described.get() or Description(name)
        own = dict(description.tags)
        if description.command is not None:
            own["command"] = description.command
        experiment = experiment_id(dataset)
        with understood():
            close_dead()
            while mlflow.active_run():  # of a session that was interrupted in this process
                with suppress(*_failures()):  # maybe with another database
                    mlflow.end_run("KILLED")
            run = mlflow.start_run(
                experiment_id=experiment,
                run_name=description.name,
                tags={**tags, **own, **_process_tags()},
            )
        description.run_id = run.info.run_id
        tracker = cls(run.info.run_id)._killed_at_exit()
        _active.set(tracker)
        return tracker

    @classmethod
    @contextmanager
    def of_its_own(
        cls, dataset: str, name: str, tags: Mapping[str, str], again: str | None = None
    ) -> Iterator[Self]:
        """Start a run that is no Kedro run and not the active one; end it after the block.

        Parameters
        ----------
        dataset, name, tags
            See `start`.
        again : str, optional
            The id of a run that goes on; None: a new one.

        Raises
        ------
        TrackingError
            If MLflow can't be used, or was not told all of the block.
        """
        experiment = experiment_id(dataset)
        with understood():
            close_dead()
            if again is None:
                again = client().create_run(experiment, run_name=name).info.run_id
            tracker = cls(again)._killed_at_exit()
            tracker.set_tags({**tags, **_process_tags()})
            tracker._client.update_run(again, status="RUNNING")
        status = "KILLED"
        try:
            yield tracker
            status = "FINISHED"
        except Exception:
            status = "FAILED"
            raise
        finally:
            tracker.end(status)
        tracker.require_told()

    def _killed_at_exit(self) -> Self:
        atexit.register(self.end, "KILLED")  # whatever ends the process before the run is ended
        return self

    def end(self, status: str) -> None:
        """End the run: as failed, if MLflow has refused a part of it."""
        import mlflow

        def terminate() -> None:
            how = "FAILED" if self._lost and status == "FINISHED" else status
            if self._is_active():
                mlflow.end_run(how)
            else:
                self._client.set_terminated(self.run_id, how)

        self._tell("its end", terminate)
        if self._is_active():  # here it is over, also where MLflow can't be told
            with _impatient(1), suppress(*_failures()):
                mlflow.end_run(status)
        if _active.get() is self:
            _active.set(None)
        atexit.unregister(self.end)

    def _is_active(self) -> bool:
        import mlflow

        active = mlflow.active_run()
        return active is not None and active.info.run_id == self.run_id

    def require_told(self) -> None:
        """Refuse to pass over in silence what MLflow was not told.

        Raises
        ------
        TrackingError
            Naming it, and what to do.
        """
        missing = [*self._lost, *(what for what, _ in self._waiting)]
        if not missing:
            return
        reason = self._broken or "; ".join(dict.fromkeys(self._lost.values()))
        raise TrackingError(
            f"all is done and kept, but in MLflow run {self.run_id} these are missing: "
            f"{listed(list(dict.fromkeys(missing)), shown=8)} ({reason}). See to MLflow, and give "
            "the same command again: it takes over what is there and tells MLflow of it"
        )

    def log_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Log parameters by their dotted names."""
        from mlflow.entities import Param

        params = [Param(name, str(value)) for name, value in parameters.items()]
        short = [each for each in params if len(each.value) <= LONGEST_PARAMETER]
        self.log_batch("parameters", params=short)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags."""
        from mlflow.entities import RunTag

        self.log_batch("tags", tags=[RunTag(*each) for each in tags.items()])

    def log_metrics(
        self,
        values: Mapping[str, float],
        model_id: str | None = None,
        data: tuple[str, str] = ("", ""),
        step: int = 0,
    ) -> None:
        """Log numbers, of a model and a data set (name and digest) where they are known."""

        def send() -> None:
            known = known_model(model_id)
            self._send(metrics=_metrics(values, step, known, self.run_id, data))

        self._tell("metrics", send)

    def log_file(self, path: Path, folder: str) -> None:
        """Log a file, or all files of a folder, as artifacts."""

        def send() -> None:
            log_it = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
            log_it(self.run_id, str(path), folder)

        self._tell(f"{folder}/{path.name}", send)

    def log_dict(self, content: Any, name: str) -> None:
        """Log plain values as a JSON or YAML file."""
        self._tell(name, lambda: self._client.log_dict(self.run_id, content, name))

    def log_text(self, text: str, name: str) -> None:
        """Log a text as a file."""
        self._tell(name, lambda: self._client.log_text(self.run_id, text, name))

    def log_data(self, name: str, digest: str, source: Mapping[str, Any], context: str) -> None:
        """Log an input of the run as a dataset, which MLflow's pages and filters know."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        dataset = Dataset(name, digest, "local", json.dumps(source))
        tags = [InputTag("mlflow.data.context", context)]
        given = [DatasetInput(dataset, tags)]
        self._tell(f"data set {name}", lambda: self._client.log_inputs(self.run_id, given))

    def obtain(self, what: str, ask: Callable[[], Found]) -> Found | None:
        """Return what MLflow answers; None where it can't, which is then missing under a name."""
        self.catch_up()
        reason = self._broken
        if reason is None:
            try:
                return ask()
            except _failures() as error:
                reason = _first_cause(error)
                self._look_after()
        self._lost[what] = reason
        return None

    def log_batch(self, what: str, **entities: list[Any]) -> None:
        """Log metrics, params or tags of MLflow's own kinds, under a name for messages."""
        self._tell(what, lambda: self._send(**entities))

    def _send(self, **entities: list[Any]) -> None:
        """Send metrics, params or tags, in as many requests as MLflow needs."""
        for kind, each in entities.items():
            for first in range(0, len(each), BATCH[kind]):
                self._client.log_batch(self.run_id, **{kind: each[first : first + BATCH[kind]]})

    def _tell(self, what: str, send: Callable[[], object]) -> None:
        """Send something, or keep it until MLflow can be used again."""
        with self._sending:
            self._waiting.append((what, send))
            self.catch_up()

    def catch_up(self) -> None:
        """Send what waits, in order, as far as MLflow can be used."""
        with self._sending:
            self._look_again()
            while self._waiting and self._broken is None:
                what, send = self._waiting[0]
                try:
                    send()
                except _failures() as error:
                    self._look_after()
                    if self._broken is not None:
                        return
                    self._lost[what] = _first_cause(error)  # this alone is refused
                self._waiting.pop(0)

    def _look_again(self) -> None:
        """Find out whether MLflow, which was broken, can be used again, or its file went away."""
        if self._broken is not None:
            self._broken = fault(patience=1)
            if self._broken is None:
                log.info("MLflow can be used again: it is told what it has missed")
        elif path := _database():
            self._say(databases.exchanged(path))

    def _look_after(self) -> None:
        """Find out whether MLflow is broken, after it has raised an error."""
        self._say(fault(patience=1))

    def _say(self, broken: str | None) -> None:
        if broken is not None:
            log.error(
                "MLflow can't be used any more: %s. The work goes on, and what is made is kept; "
                "MLflow is told later if it can be",
                broken,
            )
        self._broken = broken


_active: ContextVar[Tracker | None] = ContextVar("active", default=None)
"""The tracker of the session's run."""


class MetricLog:
    """Sends training records to the active MLflow run, in batches; nowhere if there is none.

    Parameters
    ----------
    prefix : str
        Put before every metric's name with a dot: the trial, ``trial_00.loss``.
    """

    def __init__(self, prefix: str) -> None:
        self._tracker = _active.get()
        self._prefix = prefix
        self._pending: list[Any] = []
        self._steps: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def record(self, values: Mapping[str, float]) -> None:
        """Take the values of one step: ``step`` and any number of metrics."""
        if self._tracker is None:
            return
        step = int(values["step"])
        self._steps.add(step)
        named = {f"{self._prefix}.{name}": each for name, each in values.items() if name != "step"}
        self._pending += _metrics(named, step)
        if len(self._pending) >= BATCH["metrics"]:
            self.flush()

    def complete(self, history: Iterable[Mapping[str, float]]) -> None:
        """Send the steps of a history that this run did not see: those before a resumption."""
        for values in history:
            if int(values["step"]) not in self._steps:
                self.record(values)

    def flush(self) -> None:
        """Send what is pending."""
        if self._tracker is not None:
            self._tracker.log_batch("losses of the training", metrics=self._pending)
            self._pending = []


def _metrics(
    values: Mapping[str, float],
    step: int,
    model_id: str | None = None,
    run_id: str | None = None,
    data: tuple[str, str] = ("", ""),
) -> list[Any]:
    """Make MLflow's entities of the values that are finite."""
    from mlflow.entities import Metric
    from mlflow.utils.time import get_current_time_millis

    now = get_current_time_millis()
    of = {"dataset_name": data[0] or None, "dataset_digest": data[1] or None}
    return [
        Metric(name, float(value), now, step, model_id=model_id, run_id=run_id, **of)
        for name, value in values.items()
        if math.isfinite(value)
    ]


def _process_tags() -> dict[str, str]:
    """Tag a run with its process, so that `is_dead` can judge it."""
    return {
        HOST: socket.gethostname(),
        PROCESS: str(os.getpid()),
        STARTED: _started(os.getpid()),
    }


def _started(process: int) -> str:
    """Say when a process was started: on Linux in ticks since a boot, by a clock that nobody sets.

    Raises
    ------
    psutil.NoSuchProcess
        If there is none of this number.
    """
    import psutil

    boot = Path("/proc/sys/kernel/random/boot_id")
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        ticks = state.rpartition(")")[2].split()[19]  # field 22 of proc_pid_stat(5)
        return f"{ticks} ticks after boot {boot.read_text(encoding='ascii').strip()}"
    except (OSError, IndexError):
        return f"{psutil.Process(process).create_time():.2f}"


def is_dead(tags: Mapping[str, str]) -> bool:
    """Whether the process of a run, which was on this machine, has ended."""
    import psutil

    if tags.get(HOST) != socket.gethostname():
        return False  # nothing is known of other machines
    try:
        process, then = int(tags[PROCESS]), tags[STARTED]
        if " " in then:
            return _started(process) != then  # else another process has its number
        return abs(psutil.Process(process).create_time() - float(then)) > 1
    except (psutil.NoSuchProcess, KeyError, ValueError):
        return True


def close_dead() -> None:
    """End the runs that processes of this machine left open when they were killed."""
    for run in search("attributes.status = 'RUNNING'", search_all_experiments=True):
        if is_dead(run.data.tags):
            client().set_terminated(run.info.run_id, status="KILLED")


def search(condition: str = "", **which: Any) -> list[Any]:
    """Return all runs that fit MLflow's filter, the newest first; see `mlflow.search_runs`."""
    import mlflow

    mlflow.set_tracking_uri(tracking_uri())
    with understood():
        return mlflow.search_runs(filter_string=condition, output_format="list", **which)


def find_runs(dataset: str, tags: Mapping[str, str]) -> list[Any]:
    """Return the runs of a data set that have all these tags, the newest first."""
    exact = {name: value for name, value in tags.items() if "'" not in value}
    condition = " and ".join(f"tags.{name} = '{value}'" for name, value in exact.items())
    found = search(condition, experiment_ids=[experiment_id(dataset)])
    # MLflow's filters know no escape for an apostrophe
    return [run for run in found if tags.items() <= run.data.tags.items()]


def known_model(model_id: str | None) -> str | None:
    """Return a model's id if MLflow knows it: it may have been deleted, or logged elsewhere."""
    from mlflow.exceptions import MlflowException

    if model_id is None:
        return None
    try:
        return client().get_logged_model(model_id).model_id
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def score_metrics(scores: Any) -> dict[str, float]:
    """Return the means over the trials of the scores' headlines, and their deviations.

    Parameters
    ----------
    scores : pandas.DataFrame
        Columns ``trial, features, metric, measure, value``.

    Returns
    -------
    dict of str to float
        ``score.network.cosine.rank-1`` and, for several trials, ``...rank-1.std`` (ddof 1).
    """
    heads = scores[scores.measure.isin(HEADLINES)]
    values = heads.groupby(["features", "metric", "measure"]).value
    metrics = {f"score.{'.'.join(kind)}": mean for kind, mean in values.mean().items()}
    if scores.trial.nunique() > 1:
        spread = values.std(ddof=1)
        metrics |= {f"score.{'.'.join(kind)}.std": each for kind, each in spread.items()}
    return metrics


def measure_metrics(table: Any, prefix: str) -> dict[str, float]:
    """Return a table of measures as metrics; what no frame or probe entered is left out.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``trial, network, measure, value``.
    prefix : str
        Put before every name with a dot: ``looks.trial_00.trained.pointing game``.

    Returns
    -------
    dict of str to float
        By name; commas, which MLflow does not take, are left out.
    """
    rows = table.dropna(subset="value")
    names = (rows.trial + "." + rows.network + "." + rows.measure).str.replace(",", "")
    return dict(zip(f"{prefix}." + names, rows.value, strict=True))


def artifact_list(ledger: Any, names: Iterable[str], made: set[str]) -> list[dict[str, Any]]:
    """List artifacts with place, hash and maker.

    Parameters
    ----------
    ledger : wherewhen.lineage.ledger.Ledger
        Knows their records; those that are not there are left out.
    names : iterable of str
        The artifacts.
    made : set of str
        Those that this run has made.
    """
    return [
        {
            "artifact": name,
            "place": to_root(ledger.file(name)),
            "sha256": record.content,
            "bytes": record.size,
            "identity": record.identity,
            "made_by": record.run_id,
            "taken_over": name not in made,
            "commit": record.commit,
            "finished": record.finished,
            "inputs": record.inputs,
        }
        for name in names
        if ledger.is_kept(name) and ledger.is_there(name)
        for record in [ledger.record(name)]
    ]
