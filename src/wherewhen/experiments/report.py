"""The report: everything that is finished, of one or several environments, on one static page.

What is read here is what :mod:`wherewhen.experiments.rows` calls finished; how it looks is
:mod:`wherewhen.reporting.page`'s.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from wherewhen.atomic import replacing
from wherewhen.environments import NOT_DATA_SETS, environments
from wherewhen.experiments.config import Experiment, ExperimentError, Row, load_experiments
from wherewhen.experiments.figures import folder_of
from wherewhen.experiments.published import DATASETS
from wherewhen.experiments.rows import Request, ResolvedRow, resolve
from wherewhen.experiments.tables import comparison, dataset_of, format_orientation, orientation
from wherewhen.lineage.ledger import NotMade
from wherewhen.lineage.records import NAME, Record
from wherewhen.project import from_root
from wherewhen.reporting import page
from wherewhen.reporting.figures import kind_of, shows_nobody
from wherewhen.reporting.style import describe
from wherewhen.sessions import View
from wherewhen.tracking import find_runs

OUT = "data/08_reporting/experiments.html"
"""Where the report is written, from the project's root."""

BASE = "base"
"""What the page calls the configuration without an environment."""

SHOWN, COMMIT = 16, 12
"""Digits of a hash, and of a commit, that are shown."""

POINTS = 250
"""Points of a course of losses at most; more can't be told apart on a page."""

DRAWN_BY_THE_PAGE = ("cmc", "convergence", "lengths")
"""Kinds of figures that the page draws itself, from the same tables."""


@dataclass(frozen=True)
class ReportRequest:
    """What a report is asked for.

    Parameters
    ----------
    environments : sequence of str
        Which; none: all in which something is finished.
    params : mapping
        As the experiments were run with.
    trained_on : str, optional
        Where networks of cross-dataset experiments were trained; None: wherever something is found.
    with_pictures : bool
        Show figures with frames of people, too.
    """

    environments: Sequence[str] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    trained_on: str | None = None
    with_pictures: bool = False


@dataclass(frozen=True)
class Found:
    """An experiment with something finished, and its rows."""

    experiment: Experiment
    request: Request
    rows: Mapping[str, ResolvedRow]
    dataset: str

    @property
    def name(self) -> str:
        """What the commands are given to show it."""
        source = self.request.trained_on
        return self.experiment.name + (f" --trained-on {source}" if source else "")

    @cached_property
    def trials(self) -> dict[str, list[str]]:
        """Name the finished trials of each row."""
        return {name: row.trials for name, row in self.rows.items()}

    def records(self) -> Iterator[Record]:
        """Give the records of all finished trials' scores."""
        for name, row in self.rows.items():
            yield from map(row.record, self.trials[name])


def write_report(out: Path, asked: ReportRequest) -> Path:
    """Write the report of an environment, or of several.

    Parameters
    ----------
    out : Path
        The file; it appears whole or not at all.
    asked : ReportRequest
        What is asked for.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    ExperimentError
        For an environment that is unknown, or if nothing is finished at all.
    """
    text = page.render(gather(asked))
    with replacing(out) as partial:
        partial.write_text(text, encoding="utf-8")
    return out


def gather(asked: ReportRequest) -> page.Page:
    """Collect what a report shows.

    Parameters
    ----------
    asked : ReportRequest
        What is asked for.

    Raises
    ------
    ExperimentError
        For an environment that is unknown, or if nothing is finished at all.
    """
    left_out: list[str] = []
    datasets = []
    for env in asked.environments or with_results():
        found = list(_found(asked, None if env == BASE else env, left_out))
        if found:
            datasets.append(_dataset(found, asked, left_out))
    if not datasets:
        where = ", ".join(asked.environments) or "any environment"
        raise ExperimentError(
            f"nothing is finished in {where}; `kedro experiment run NAME` runs an experiment, and "
            "the report has to be given the --params that it was run with"
        )
    return page.Page(
        "Experiments",
        datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC").lstrip("0"),
        _made_with(),
        datasets,
        left_out,
    )


def with_results() -> list[str]:
    """Name the environments, ``base`` first, in whose data sets any scores are."""
    names = [BASE, *(name for name in environments() if name not in NOT_DATA_SETS)]
    return [name for name in names if any(_scores_of(None if name == BASE else name))]


def _scores_of(env: str | None) -> Iterator[Path]:
    folder = from_root("data/07_model_output") / dataset_of(env)
    return folder.glob(f"*/scores_*.parquet/*/{NAME}")


# --- what is finished -----------------------------------------------------------------------------


def _found(asked: ReportRequest, env: str | None, left_out: list[str]) -> Iterator[Found]:
    """Give the experiments of an environment with something finished."""
    idle, contents = [], {}
    dataset = dataset_of(env)
    for experiment in load_experiments(env).values():
        there = False
        for source in _sources(experiment, asked, env):
            request = Request(env, asked.params, source)
            try:
                rows = resolve(experiment, request, contents)
                found = Found(experiment, request, rows, dataset)
            except ExperimentError as error:
                if not experiment.cross_dataset:  # not every pair of data sets makes sense
                    left_out.append(f"Left out: {error}")
                    there = True
                continue
            if any(found.trials.values()):
                there = True
                yield found
        idle += [experiment.name] * (not there)
    if idle and asked.environments:
        left_out.append(f"Not run on {env or BASE}: {', '.join(idle)}.")


def _sources(experiment: Experiment, asked: ReportRequest, env: str | None) -> list[str | None]:
    """Name the environments that networks may have been trained in; None for the same."""
    if not experiment.cross_dataset:
        return [None]
    if asked.trained_on is not None:
        return [asked.trained_on]
    return [name for name in with_results() if name not in (env or BASE, BASE)]


# --- what is shown of it --------------------------------------------------------------------------


def _dataset(found: list[Found], asked: ReportRequest, left_out: list[str]) -> page.Dataset:
    env, dataset = found[0].request.env, found[0].dataset
    newest = max(record.finished for one in found for record in one.records())
    facts = {
        **_size(View.of(env)),
        "last trial finished": newest[:16].replace("T", " ") + " UTC",
    }
    experiments = [_experiment(one, asked, left_out) for one in found]
    return page.Dataset(dataset, env or BASE, facts, experiments)


def _experiment(found: Found, asked: ReportRequest, left_out: list[str]) -> page.Experiment:
    experiment = found.experiment
    table = comparison(experiment, found.rows, found.dataset)
    runs = find_runs(found.dataset, {"experiment": experiment.name})
    known = found.dataset in DATASETS
    shown = [row for row in experiment.rows if not row.quoted or known]
    there = table[table["mean"].notna() | table.published.notna()].measure
    lines = table[table.measure.isin(there)]
    rows = [_row(found, row, lines[lines.row == row.name], runs) for row in shown]
    source = found.request.trained_on
    on = f", trained on {source}" if source else ""
    return page.Experiment(
        found.name,
        f"{experiment.title}{on}",
        experiment.asks,
        rows,
        ", ".join(sorted(set(table.protocol.dropna()))),
        list(_curves(found, table)),
        list(_histories(found)),
        list(_matrices(found)),
        list(_pictures(found, asked, left_out)),
        {} if known else _elsewhere(experiment),
    )


def _row(found: Found, row: Row, lines: pd.DataFrame, runs: Sequence[Any]) -> page.Row:
    numbers = {
        line.measure: page.Number(
            *map(_or_none, (line.mean, line.deviation, line.published, line.difference))
        )
        for line in lines.itertuples()
    }
    of_numbers = (note.removeprefix(row.note).strip("; ") for note in lines.note)
    notes = list(dict.fromkeys(filter(None, [row.note, *of_numbers])))
    if row.quoted:
        return page.Row(row.name, page.Status.QUOTED, numbers=numbers, notes=notes)
    resolved, trials = found.rows[row.name], found.trials[row.name]
    own = _runs_of(resolved, runs)
    most = max(map(len, found.trials.values()))
    status, trouble = _status(trials, most, _has_failed(own))
    described = describe(row.features, row.metric)
    if not trials:
        return page.Row(row.name, status, described, notes=notes + trouble)
    return page.Row(
        row.name,
        status,
        described,
        [_trial(resolved, trial) for trial in trials],
        numbers,
        resolved.differing_parameters(),
        _facts(resolved, trials, own),
        list(_commands(resolved, trials)),
        notes + trouble,
    )


def _runs_of(row: ResolvedRow, runs: Sequence[Any]) -> list[Any]:
    """Choose the MLflow runs in which a row's scores were made or taken over."""
    of = (row.row.name, row.request.trained_on, None)
    tags = ("row", "trained_on", "stage")
    return [run for run in runs if tuple(map(run.data.tags.get, tags)) == of]


def _status(trials: list[str], most: int, failed: bool) -> tuple[page.Status, list[str]]:
    """Say how far a row is, beside the one of its experiment that has the most trials."""
    if failed and len(trials) < most:
        why = "It failed. Running the row again says why, and makes what is missing."
        return (page.Status.PARTLY if trials else page.Status.FAILED), [why]
    if not trials:
        return page.Status.NOT_RUN, []
    if len(trials) < most:
        return page.Status.PARTLY, [f"{len(trials)} of {most} trials are finished."]
    return page.Status.FINISHED, []


def _has_failed(runs: Sequence[Any]) -> bool:
    """Whether the newest run of a row failed or was killed."""
    newest = max(runs, key=lambda run: run.info.start_time, default=None)
    return newest is not None and newest.info.status in ("FAILED", "KILLED")


def _facts(row: ResolvedRow, trials: list[str], runs: Sequence[Any]) -> dict[str, str]:
    commits = sorted({_short_commit(row.record(trial).commit) for trial in trials})
    finished = [run.info.run_id for run in runs if run.info.status == "FINISHED"]
    facts = {
        "data": _data(row.view),
        "cubes": _cubes(row),
        "commit": ", ".join(commits),
        "MLflow run": finished[0] if finished else "",
    }
    return {name: value for name, value in facts.items() if value}


def _short_commit(commit: str) -> str:
    """Shorten a hash; other words stay, and so does the mark of a changed working tree."""
    return re.sub(rf"^([0-9a-f]{{{COMMIT}}})[0-9a-f]+", r"\1", commit)


def _trial(row: ResolvedRow, trial: str) -> page.Trial:
    record, network = row.record(trial), row.network(trial)
    facts = {
        "scores": record.identity,
        "split": row.load("split_fingerprints").get(trial, ""),
        "network": network.content[:SHOWN] if network else "",
        "made in MLflow run": record.run_id or "",
        "finished": record.finished[:16].replace("T", " "),
    }
    return page.Trial(trial, {name: value for name, value in facts.items() if value})


def _data(view: View) -> str:
    """Return the fingerprint of the data set."""
    return str(view.catalog.load("ingest_report").get("fingerprint", ""))


def _cubes(row: ResolvedRow) -> str:
    """Name the store of cubes that a row read: its key says backbone, weights and frames."""
    try:
        return str(row.load("cubes_identity").get("key", ""))
    except NotMade:  # of features without cubes
        return ""


def _commands(row: ResolvedRow, trials: list[str]) -> Iterator[page.Command]:
    first = row.wanted.index(trials[-1]) + 1
    whole = row.experiment_command(first if first < len(row.wanted) else None)
    yield page.Command("The row, what is there left as it is", whole)
    yield page.Command("The same as a plain run", row.plain_command(*trials))


def _curves(found: Found, table: pd.DataFrame) -> Iterator[page.Curve]:
    ranked = table.assign(rank=table.measure.str.extract(r"^rank-(\d+)$", expand=False))
    for row in found.experiment.rows:
        theirs = ranked[(ranked.row == row.name) & ranked["rank"].notna()].dropna(
            subset="published"
        )
        published = dict(zip(theirs["rank"].astype(int), theirs.published, strict=True))
        means = _over_trials(found.rows[row.name]) if found.trials.get(row.name) else None
        if means is not None and len(means):
            several = not means["std"].isna().any()
            yield page.Curve(row.name, means.index.to_list(), means["mean"].to_list(),
                             means["std"].to_list() if several else (), published)  # fmt: skip
        elif published:
            yield page.Curve(row.name, published=published)


def _over_trials(row: ResolvedRow) -> pd.DataFrame:
    """Return mean and deviation in percent at the ranks that all trials have."""
    scores = row.shown()
    rank = scores.measure.str.extract(r"^rank-(\d+)$", expand=False)
    ranked = scores[rank.notna()].assign(rank=rank.dropna().astype(int))
    values = 100 * ranked.pivot(index="rank", columns="trial", values="value").dropna()
    return pd.DataFrame({"mean": values.mean(axis=1), "std": values.std(axis=1, ddof=1)})


def _histories(found: Found) -> Iterator[page.History]:
    """Give the course of each training; rows that share one network have one course."""
    from wherewhen.reporting.validation import convergence_table

    seen = set()
    for row, resolved in found.rows.items():
        trials = found.trials[row]
        if not trials or not resolved.trains:
            continue
        networks = tuple(resolved.network(trial).content for trial in trials)
        if networks in seen:
            continue
        seen.add(networks)
        histories = {trial: resolved.load(f"{trial}.history") for trial in trials}
        table = convergence_table({row: histories})
        loss = _thinned(_by_epoch(table, "loss"))
        validation = _thinned(_by_epoch(table, "validation_loss"))
        yield page.History(row, loss.index.to_list(), loss.to_list(),
                           validation.index.to_list(), validation.to_list())  # fmt: skip


def _by_epoch(table: pd.DataFrame, column: str) -> pd.Series:
    """Return the mean over the trials at the epochs that all of them have."""
    values = table.pivot(index="epoch", columns="trial", values=column)
    return values.dropna().mean(axis=1)


def _thinned(course: pd.Series) -> pd.Series:
    return course.iloc[:: max(1, -(-len(course) // POINTS))]


def _matrices(found: Found) -> Iterator[page.LengthMatrix]:
    """Read the tables that `kedro experiment figures` wrote beside its pictures of lengths."""
    for path in sorted(folder_of(found.dataset, found.experiment).glob("lengths*.csv")):
        table = pd.read_csv(path)
        cells = 100 * table.pivot_table("rank-1", "probe_frames", "gallery_frames", "mean")
        row = path.stem.removeprefix("lengths").strip("_").replace("_", " ")
        yield page.LengthMatrix(
            row or next(iter(found.rows)),
            cells.index.to_list(),
            cells.columns.to_list(),
            cells.to_numpy().tolist(),
        )


def _pictures(found: Found, asked: ReportRequest, left_out: list[str]) -> Iterator[page.Picture]:
    """Give the pictures that the page may show, and note how many it may not."""
    newest = max(datetime.fromisoformat(each.finished).timestamp() for each in found.records())
    held_back = 0
    for path in sorted(folder_of(found.dataset, found.experiment).glob("*.png")):
        kind = kind_of(path.stem)
        if kind is not None and kind.name in DRAWN_BY_THE_PAGE:
            continue
        if not shows_nobody(path.stem) and not asked.with_pictures:
            held_back += 1
            continue
        fallback = f"{path.stem.replace('_', ' ')}."
        caption, description = (kind.caption, kind.description) if kind else (fallback, fallback)
        if path.stat().st_mtime < newest:
            name = found.experiment.name
            caption += (
                " Drawn before the last trial was finished: "
                f"`kedro experiment figures {name}` draws it again."
            )
        yield page.Picture(path.read_bytes(), "image/png", caption, description)
    if held_back:
        figures = "1 figure" if held_back == 1 else f"{held_back} figures"
        left_out.append(
            f"{found.name} on {found.dataset}: {figures} with frames of people left out; "
            "--with-pictures shows them, to those who may see them."
        )


def _elsewhere(experiment: Experiment) -> dict[str, dict[str, str]]:
    """Return the published figures by row and data set, the ranks in one cell."""
    theirs = orientation(experiment)
    if theirs.empty:
        return {}
    ranks = " / ".join(theirs.measure.unique())
    text = format_orientation(theirs).set_index("row")
    return text.rename(columns=lambda name: f"{name}, {ranks}").to_dict("index")


def _size(view: View) -> dict[str, str]:
    """Count the people of a data set, as its tables do; nothing without tables."""
    try:
        table = view.catalog.load("tracklets")
        data = _data(view)
    except NotMade:
        return {}
    counted = {"persons": "person", "cameras": "camera", "tracklets": "tracklet"}
    sizes = {name: f"{table[column].nunique():,}" for name, column in counted.items()}
    return {**sizes, "data fingerprint": data}


def _made_with() -> dict[str, str]:
    names = ("wherewhen", "torch", "kedro", "mlflow", "plotly")
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    return {
        "on": machine,
        "Python": platform.python_version(),
        **{name: metadata.version(name) for name in names},
    }


def _or_none(value: float) -> float | None:
    return None if pd.isna(value) else float(value)
