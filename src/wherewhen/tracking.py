"""Logging to MLflow (the Kedro side): one run per command, with all that made its numbers.

A run has the parameters as the stages saw them, the command, environment, commit and data; scores
as means, deviations and by trial; and of every artifact behind them the file, its hash, and the run
that made it.
"""

from __future__ import annotations

import atexit
import json
import math
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from wherewhen.project import project_root, to_root

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
    with understood():
        found = client().get_experiment_by_name(dataset)
        if found is None:
            return client().create_experiment(dataset, artifact_location=artifact_root())
        if found.lifecycle_stage != "active":
            client().restore_experiment(found.experiment_id)
        return found.experiment_id


def client() -> Any:
    """Return MLflow's client."""
    import mlflow

    mlflow.set_tracking_uri(tracking_uri())
    return mlflow.MlflowClient()


@contextmanager
def understood() -> Iterator[None]:
    """Say what to do where MLflow can't be used."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise TrackingError(
            f"MLflow at {tracking_uri()} can't be used: {_first_cause(error)}. Free some space if "
            "the disk is full; wait if another process holds the file; start the server if it is "
            "one; move a damaged file away (its runs go with it), or run `mlflow db upgrade` on "
            "one of an older MLflow. MLFLOW_TRACKING_URI names another place"
        ) from error


def _first_cause(error: BaseException) -> str:
    """Return the first line of what the database itself, or the network, has said."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


class Tracker:
    """A run of MLflow, and what is logged to it.

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
                mlflow.end_run("KILLED")
            run = mlflow.start_run(
                experiment_id=experiment,
                run_name=description.name,
                tags={**tags, **own, **_process_tags()},
            )
        description.run_id = run.info.run_id
        return cls(run.info.run_id)._killed_at_exit()

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

    def _killed_at_exit(self) -> Self:
        atexit.register(self.end, "KILLED")  # whatever ends the process before the run is ended
        return self

    def end(self, status: str) -> None:
        """End the run."""
        import mlflow

        active = mlflow.active_run()
        if active is not None and active.info.run_id == self.run_id:
            mlflow.end_run(status)
        else:
            self._client.set_terminated(self.run_id, status)
        atexit.unregister(self.end)

    def log_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Log parameters by their dotted names."""
        from mlflow.entities import Param

        params = [Param(name, str(value)) for name, value in parameters.items()]
        self._log(params=[each for each in params if len(each.value) <= LONGEST_PARAMETER])

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags."""
        from mlflow.entities import RunTag

        self._log(tags=[RunTag(*each) for each in tags.items()])

    def log_metrics(
        self,
        values: Mapping[str, float],
        model_id: str | None = None,
        data: tuple[str, str] = ("", ""),
        step: int = 0,
    ) -> None:
        """Log numbers, of a model and a data set (name and digest) where they are known."""
        self._log(metrics=_metrics(values, step, model_id, self.run_id, data))

    def log_file(self, path: Path, folder: str) -> None:
        """Log a file, or all files of a folder, as artifacts."""
        log = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
        log(self.run_id, str(path), folder)

    def log_dict(self, content: Any, name: str) -> None:
        """Log plain values as a JSON or YAML file."""
        self._client.log_dict(self.run_id, content, name)

    def log_text(self, text: str, name: str) -> None:
        """Log a text as a file."""
        self._client.log_text(self.run_id, text, name)

    def log_data(self, name: str, digest: str, source: Mapping[str, Any], context: str) -> None:
        """Log an input of the run as a dataset, which MLflow's pages and filters know."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        dataset = Dataset(name, digest, "local", json.dumps(source))
        tags = [InputTag("mlflow.data.context", context)]
        self._client.log_inputs(self.run_id, [DatasetInput(dataset, tags)])

    def _log(self, **entities: list[Any]) -> None:
        """Log metrics, params or tags, in as many requests as MLflow needs."""
        for kind, each in entities.items():
            for first in range(0, len(each), BATCH[kind]):
                self._client.log_batch(self.run_id, **{kind: each[first : first + BATCH[kind]]})


class MetricLog:
    """Sends training records to the active MLflow run, in batches; nowhere if there is none.

    Parameters
    ----------
    prefix : str
        Put before every metric's name with a dot: the trial, ``trial_00.loss``.
    """

    def __init__(self, prefix: str) -> None:
        import mlflow

        run = mlflow.active_run()
        self._tracker = Tracker(run.info.run_id) if run else None
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
            self._tracker._log(metrics=self._pending)
            self._pending.clear()


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
    import psutil

    process = psutil.Process()
    return {
        HOST: socket.gethostname(),
        PROCESS: str(process.pid),
        STARTED: f"{process.create_time():.2f}",
    }


def is_dead(tags: Mapping[str, str]) -> bool:
    """Whether the process of a run, which was on this machine, has ended."""
    import psutil

    if tags.get(HOST) != socket.gethostname():
        return False  # nothing is known of other machines
    try:
        started = psutil.Process(int(tags[PROCESS])).create_time()
    except (psutil.NoSuchProcess, KeyError, ValueError):
        return True
    return abs(started - float(tags[STARTED])) > 1  # another process has its number


def close_dead() -> None:
    """End the runs that processes of this machine left open when they were killed."""
    for run in search("attributes.status = 'RUNNING'", search_all_experiments=True):
        if is_dead(run.data.tags):
            client().set_terminated(run.info.run_id, status="KILLED")


def search(condition: str = "", **which: Any) -> list[Any]:
    """Return all runs that fit MLflow's filter, the newest first; see `mlflow.search_runs`."""
    import mlflow

    mlflow.set_tracking_uri(tracking_uri())
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
    except MlflowException:
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
