"""What MLflow is told (the Kedro side): a run a command, with all that made its numbers.

A run says its parameters as the stages saw them, its command, environment, commit and data; scores
as means, deviations and by trial; and of every artifact behind them where it lies, its hash, and
the run that made it.
"""

from __future__ import annotations

import atexit
import json
import math
import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from wherewhen.project import project_root, to_root

Record = Mapping[str, float]

BATCH = 100
"""Metrics, parameters or tags in one request; MLflow takes no more parameters or tags at a time."""

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
    """What a command that runs sessions says of each: an experiment's row, a sweep's evaluation."""

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
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise TrackingError(
            f"MLflow at {tracking_uri()} can't be used: {reason}. If the file is damaged or of "
            "another version of MLflow, move it away (its runs go with it) or run `mlflow db "
            "upgrade`; if another process holds it, wait for that; if it is a server, see whether "
            "it is there. MLFLOW_TRACKING_URI names another place"
        ) from error


class Tracker:
    """The MLflow run of a Kedro run.

    Parameters
    ----------
    dataset : str
        The data set: the name of the MLflow experiment.
    """

    def __init__(self, dataset: str) -> None:
        self._experiment = experiment_id(dataset)
        self._client = client()
        self.run_id: str | None = None
        atexit.register(self.end, "KILLED")  # whatever ends the process before the run is ended

    def start(self, name: str, tags: Mapping[str, str]) -> str:
        """Start the run as the active one, and end those whose processes have died; return its id.

        A command that runs several sessions says their names and tags (`described`).
        """
        import mlflow

        description = _described.get() or Description(name)
        own = dict(description.tags)
        if description.command is not None:
            own["command"] = description.command
        with understood():
            close_dead()
            while mlflow.active_run():  # of a session that was interrupted in this process
                mlflow.end_run("KILLED")
            run = mlflow.start_run(
                experiment_id=self._experiment,
                run_name=description.name,
                tags={**tags, **own, **_process_tags()},
            )
        self.run_id = description.run_id = run.info.run_id
        return self.run_id

    def end(self, status: str) -> None:
        """End the run, if it is not ended."""
        import mlflow

        active = mlflow.active_run()
        if self.run_id is not None and active is not None and active.info.run_id == self.run_id:
            mlflow.end_run(status)
        elif self.run_id is not None:
            self._client.set_terminated(self.run_id, status)
        self.run_id = None
        atexit.unregister(self.end)

    @classmethod
    @contextmanager
    def of_its_own(
        cls, dataset: str, name: str, tags: Mapping[str, str], again: str | None = None
    ) -> Iterator[Self]:
        """Give what is no Kedro run, a table or a sweep, a run that is not the active one.

        Parameters
        ----------
        dataset, name, tags
            See `Tracker` and `start`.
        again : str, optional
            The id of a run that goes on; None: a new one.
        """
        tracker = cls(dataset)
        with understood():
            close_dead()
            if again is None:
                run = tracker._client.create_run(tracker._experiment, run_name=name)
                again = run.info.run_id
            tracker.run_id = again
            tracker.set_tags({**tags, **_process_tags()})
            tracker._client.update_run(again, status="RUNNING")
        try:
            yield tracker
        except Exception:
            tracker.end("FAILED")
            raise
        except BaseException:
            tracker.end("KILLED")
            raise
        tracker.end("FINISHED")

    def log_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Log parameters by their dotted names."""
        from mlflow.entities import Param

        short = {name: str(value) for name, value in parameters.items()}
        for part in _parts(short.items()):
            params = [Param(*each) for each in part if len(each[1]) <= LONGEST_PARAMETER]
            self._client.log_batch(self.run_id, params=params)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags."""
        from mlflow.entities import RunTag

        for part in _parts(tags.items()):
            self._client.log_batch(self.run_id, tags=[RunTag(*each) for each in part])

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
        """Log what the run worked on as a dataset, which MLflow's pages and filters know."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        dataset = Dataset(name, digest, "local", json.dumps(source))
        tags = [InputTag("mlflow.data.context", context)]
        self._client.log_inputs(self.run_id, [DatasetInput(dataset, tags)])

    def log_metrics(
        self,
        values: Mapping[str, float],
        model_id: str | None = None,
        data: tuple[str, str] = ("", ""),
        step: int = 0,
    ) -> None:
        """Log numbers, of a model and a data set (name and digest) where they are known."""
        from mlflow.entities import Metric
        from mlflow.utils.time import get_current_time_millis

        now = get_current_time_millis()
        of = {"dataset_name": data[0] or None, "dataset_digest": data[1] or None}
        metrics = [
            Metric(name, float(value), now, step, model_id=model_id, run_id=self.run_id, **of)
            for name, value in values.items()
            if math.isfinite(value)
        ]
        for part in _parts(metrics):
            self._client.log_batch(self.run_id, metrics=part)


def _process_tags() -> dict[str, str]:
    """Say which process a run is of."""
    import psutil

    process = psutil.Process()
    return {
        HOST: socket.gethostname(),
        PROCESS: str(process.pid),
        STARTED: f"{process.create_time():.2f}",
    }


def close_dead() -> None:
    """End the runs that processes of this machine left open when they were killed."""
    for run in _running():
        if is_dead(run.data.tags):
            client().set_terminated(run.info.run_id, status="KILLED")


def _running() -> Iterator[Any]:
    """Give all runs that are not ended."""
    experiments = [each.experiment_id for each in client().search_experiments()]
    token: str | None = None
    while experiments:
        page = client().search_runs(experiments, "attributes.status = 'RUNNING'", page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def known_model(model_id: str | None) -> str | None:
    """Return a model's id if MLflow knows it: it may have been deleted, or logged elsewhere."""
    from mlflow.exceptions import MlflowException

    if model_id is None:
        return None
    try:
        return client().get_logged_model(model_id).model_id
    except MlflowException:
        return None


def find_runs(dataset: str, tags: Mapping[str, str]) -> list[Any]:
    """Return the runs of a data set that have all these tags, the newest first."""
    exact = {name: value for name, value in tags.items() if "'" not in value}
    condition = " and ".join(f"tags.{name} = '{value}'" for name, value in exact.items())
    found = client().search_runs([experiment_id(dataset)], condition, max_results=10_000)
    # MLflow's filters know no escape for an apostrophe
    return [run for run in found if tags.items() <= run.data.tags.items()]


def log_finished(run_id: str, values: Mapping[str, float], tags: Mapping[str, str]) -> None:
    """Add numbers and tags to a run that has ended."""
    from mlflow.entities import Metric, RunTag
    from mlflow.utils.time import get_current_time_millis

    now = get_current_time_millis()
    metrics = [Metric(name, float(value), now, 0) for name, value in values.items()]
    client().log_batch(run_id, metrics=metrics, tags=[RunTag(*each) for each in tags.items()])


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


def flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Spell nested parameters with dots; an empty mapping is a value."""
    if not isinstance(tree, Mapping) or not tree:
        return {prefix.removesuffix("."): tree}
    return {
        path: value
        for name, inner in tree.items()
        for path, value in flat(inner, f"{prefix}{name}.").items()
    }


class MetricLog:
    """Sends training records to the active MLflow run, in batches; to nobody when there is none.

    Parameters
    ----------
    prefix : str
        Put before every metric's name with a dot: the trial, ``trial_00.loss``.
    """

    SIZE = 500
    """Metrics in one request, half of what MLflow takes at most."""

    def __init__(self, prefix: str) -> None:
        import mlflow

        run = mlflow.active_run()
        self._prefix = prefix
        self._run_id = run.info.run_id if run else None
        self._pending: list[Any] = []
        self._steps: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def record(self, values: Record) -> None:
        """Take the values of one step: ``step`` and any number of finite metrics."""
        from mlflow.entities import Metric
        from mlflow.utils.time import get_current_time_millis

        if self._run_id is None:
            return
        now, step = get_current_time_millis(), int(values["step"])
        self._steps.add(step)
        self._pending += [
            Metric(f"{self._prefix}.{name}", float(value), now, step)
            for name, value in values.items()
            if name != "step" and math.isfinite(value)
        ]
        if len(self._pending) >= self.SIZE:
            self.flush()

    def complete(self, history: Iterable[Record]) -> None:
        """Send the steps of a history that this run did not see: those before a resumption."""
        for values in history:
            if int(values["step"]) not in self._steps:
                self.record(values)

    def flush(self) -> None:
        """Send what is pending."""
        from mlflow import MlflowClient

        while self._run_id and self._pending:
            MlflowClient().log_batch(self._run_id, metrics=self._pending[: self.SIZE])
            del self._pending[: self.SIZE]


def log_network(weights: Path, name: str) -> str:
    """Log a saved network as an MLflow model that maps clips of cubes to embeddings.

    The code that it needs is logged with it: nothing has to be installed under this project's name.

    Parameters
    ----------
    weights : Path
        The file that :func:`wherewhen.model.files.write_network` wrote.
    name : str
        The model's name within the run.

    Returns
    -------
    str
        The model's id.
    """
    import warnings
    from importlib.metadata import version
    from tempfile import TemporaryDirectory

    import mlflow
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    from wherewhen.model.files import read_network_header

    header = read_network_header(weights)
    grid, channels = header["grid"], header["channels"]
    clips = TensorSpec(np.dtype("float32"), (-1, -1, grid, grid, channels))
    embeddings = TensorSpec(np.dtype("float32"), (-1, -1))
    needed = ("torch", "safetensors", "numpy", "pydantic", "psutil")
    with warnings.catch_warnings(record=True), TemporaryDirectory() as folder:
        # MLflow would like an input example, which is megabytes, and type hints, which can't say
        # the shapes: the signature does.
        logged = mlflow.pyfunc.log_model(
            name=name,
            python_model=str(Path(__file__).with_name("mlflow_model.py")),
            code_paths=[str(_copy_code("wherewhen.mlflow_model", Path(folder)))],
            artifacts={"network": str(weights)},
            signature=ModelSignature(inputs=Schema([clips]), outputs=Schema([embeddings])),
            pip_requirements=[f"{package}=={version(package)}" for package in needed],
        )
    return logged.model_id


def _copy_code(module: str, folder: Path) -> Path:
    """Copy the modules that a module needs; return the package's folder."""
    import shutil

    from wherewhen.lineage.code import SOURCE, modules_behind, source_file

    files = {SOURCE / "__init__.py"}
    for file in map(source_file, modules_behind(module)):
        files |= {file, *(each / "__init__.py" for each in file.parents if SOURCE in each.parents)}
    for file in files:
        copy = folder / "wherewhen" / file.relative_to(SOURCE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    return folder / "wherewhen"


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


def _parts(items: Iterable[Any]) -> Iterator[Sequence[Any]]:
    items = list(items)
    for first in range(0, len(items), BATCH):
        yield items[first : first + BATCH]
