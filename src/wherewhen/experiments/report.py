"""The report: everything that is finished, of one or several environments, on one static page.

What is read here is what :mod:`wherewhen.experiments.results` calls finished; how it looks is
:mod:`wherewhen.reporting.page`'s.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from wherewhen.experiments.config import (
    Experiment,
    ExperimentError,
    Row,
    config_loader,
    load_experiments,
)
from wherewhen.experiments.published import DATASETS
from wherewhen.experiments.reproduce import (
    experiment_command,
    parameters_that_differ,
    plain_commands,
)
from wherewhen.experiments.results import RECORD, Done, Results
from wherewhen.experiments.tables import comparison, format_orientation, orientation
from wherewhen.experiments.variants import Variant, variants_of
from wherewhen.project import project_root
from wherewhen.reporting import page
from wherewhen.reporting.style import describe
from wherewhen.tracklets.fingerprint import LENGTH

OUT = "data/08_reporting/experiments.html"
"""Where the report is written, from the project's root."""

BASE = "base"
"""What the page calls the configuration without an environment."""

NO_DATASETS = ("base", "local")
"""Folders of ``conf/`` that are no environment of a data set's."""

POINTS = 250
"""Points of a course of losses at most; more can't be told apart on a page."""

DRAWN_BY_THE_PAGE = ("cmc", "convergence", "lengths")
"""Kinds of figures that the page draws itself, from the same tables."""

WITHOUT_PEOPLE = {
    "loss_over_lambda": (
        "Held-out persons by the weight λ of the attention penalty (the paper’s Fig 5 a).",
        "Curves of the loss, rank-1 and mAP of held-out persons over the weight of the penalty.",
    ),
}
"""Caption and description of the figures that never hold a frame; all others may."""

OF_PEOPLE = {
    "frame_weights": (
        "When the network looks: the weights of frames over time (the paper’s Fig 6).",
        "Frames of several tracklets with a bar each, as high as the frame’s weight.",
    ),
    "attention": (
        "Where the network looks: attention over time (the paper’s Fig 8).",
        "Frames of several tracklets, each with a heat map of attention laid over it.",
    ),
    "failures": (
        "The worst failures: the probe, what was retrieved instead, and the true match "
        "(the paper’s Fig 10).",
        "Rows of frames: a probe, the wrong person that came first, and the right one.",
    ),
}
"""The same of figures that hold frames of people."""

Runs = Callable[[str | None, str], Sequence[Any]]
"""Gives the MLflow runs of an environment's experiment."""


@dataclass(frozen=True)
class Question:
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
    params: Mapping[str, Any] | None = None
    trained_on: str | None = None
    with_pictures: bool = False


@dataclass(frozen=True)
class Found:
    """An experiment with something finished, and where its rows' results are."""

    experiment: Experiment
    env: str | None
    trained_on: str | None
    params: Mapping[str, Any] | None
    variants: Mapping[str, Variant]
    results: Results

    @property
    def name(self) -> str:
        """What the commands are given to show it."""
        return self.experiment.name + (f" --trained-on {self.trained_on}" * bool(self.trained_on))

    def trials(self, row: str) -> list[str]:
        """Name a row's finished trials."""
        return self.results.trials(self.variants[row]) if row in self.variants else []

    def any_finished(self) -> bool:
        """Whether there is anything to show."""
        return any(self.trials(row) for row in self.variants)

    def done(self) -> Iterator[Done]:
        """Give the records of all finished trials."""
        for row, variant in self.variants.items():
            for trial in self.trials(row):
                if done := self.results.done(variant, trial):
                    yield done


def write_report(out: Path, question: Question, root: Path | None = None) -> Path:
    """Write the report of an environment, or of several.

    Parameters
    ----------
    out : Path
        The file; it appears whole or not at all.
    question : Question
        What is asked for.
    root : Path, optional
        The project's root; None: that of the working directory.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    ExperimentError
        For an environment that is unknown, or if nothing is finished at all.
    """
    text = page.render(gather(question, root, runs_by_mlflow()))
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    partial.write_text(text, encoding="utf-8")
    partial.replace(out)
    return out


def gather(question: Question, root: Path | None = None, runs: Runs | None = None) -> page.Page:
    """Collect what a report shows.

    Parameters
    ----------
    question : Question
        What is asked for.
    root : Path, optional
        The project's root; None: that of the working directory.
    runs : callable, optional
        Where to ask which trials failed; None: nowhere.

    Raises
    ------
    ExperimentError
        For an environment that is unknown, or if nothing is finished at all.
    """
    root = root or project_root()
    left_out: list[str] = []
    datasets = []
    for env in question.environments or with_results(root):
        env = None if env == BASE else env
        found = list(_found(question, env, root, left_out))
        if found:
            datasets.append(_dataset(found, question, root, runs, left_out))
    if not datasets:
        where = ", ".join(question.environments) or "any environment"
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


def environments(root: Path) -> list[str]:
    """Name the environments that a report may be of: ``base`` first."""
    folders = sorted(path.name for path in (root / "conf").iterdir() if path.is_dir())
    return [BASE, *(name for name in folders if name not in NO_DATASETS)]


def with_results(root: Path) -> list[str]:
    """Name the environments in whose data sets any trial of any variant is finished."""
    return [
        name
        for name in environments(root)
        if any(
            (root / "data/08_reporting" / _dataset_of(name, root)).glob(f"variants/*/*/{RECORD}")
        )
    ]


def _dataset_of(environment: str, root: Path) -> str:
    tree = config_loader(None if environment == BASE else environment, root)["parameters"]
    return str(tree["evaluate"]["dataset"])


def runs_by_mlflow() -> Runs:
    """Return what asks MLflow for runs, set up once an environment."""
    trackings: dict[str | None, Any] = {}

    def runs(env: str | None, experiment: str) -> Sequence[Any]:
        from wherewhen.experiments.tracking import Tracking

        if env not in trackings:
            trackings[env] = Tracking(env)
        return trackings[env].runs(experiment)

    return runs


# --- what is finished -----------------------------------------------------------------------------


def _found(question: Question, env: str | None, root: Path, left_out: list[str]) -> Iterator[Found]:
    """Give the experiments of an environment with something finished."""
    idle = []
    for experiment in load_experiments(env, root).values():
        there = False
        for source in _sources(experiment, question, env, root):
            try:
                variants = variants_of(experiment, env, question.params, source, root=root)
            except ExperimentError as error:
                if not experiment.cross_dataset:  # not every pair of data sets makes sense
                    left_out.append(f"Left out: {error}")
                    there = True
                continue
            dataset = next((one.dataset for one in variants.values()), "")
            found = Found(
                experiment, env, source, question.params, variants, Results(root, dataset)
            )
            if found.any_finished():
                there = True
                yield found
        idle += [experiment.name] * (not there)
    if idle and question.environments:
        left_out.append(f"Not run on {env or BASE}: {', '.join(idle)}.")


def _sources(
    experiment: Experiment, question: Question, env: str | None, root: Path
) -> list[str | None]:
    """Name the environments that networks may have been trained in; None for the same."""
    if not experiment.cross_dataset:
        return [None]
    if question.trained_on is not None:
        return [question.trained_on]
    return [name for name in with_results(root) if name != (env or BASE)]


# --- what is shown of it --------------------------------------------------------------------------


def _dataset(
    found: list[Found],
    question: Question,
    root: Path,
    runs: Runs | None,
    left_out: list[str],
) -> page.Dataset:
    env, results = found[0].env, found[0].results
    newest = max(done.finished for one in found for done in one.done())
    facts = {
        **_size(results),
        "data fingerprint": results.data_fingerprint() or "unknown",
        "last trial finished": newest[:16].replace("T", " ") + " UTC",
    }
    environment = config_loader(env, root)["parameters"]
    experiments = [_experiment(one, environment, question, runs, left_out) for one in found]
    return page.Dataset(results.dataset, env or BASE, facts, experiments)


def _experiment(
    found: Found,
    environment: Mapping[str, Any],
    question: Question,
    runs: Runs | None,
    left_out: list[str],
) -> page.Experiment:
    experiment, results = found.experiment, found.results
    table = comparison(experiment, results, found.variants)
    told = list(runs(found.env, experiment.name)) if runs else []
    most = max(len(found.trials(row)) for row in found.variants)
    known = results.dataset in DATASETS
    shown = [row for row in experiment.rows if not row.quoted or known]
    rows = [_row(found, row, table, environment, told, most) for row in shown]
    on = f", trained on {found.trained_on}" if found.trained_on else ""
    return page.Experiment(
        found.name,
        f"{experiment.title}{on}",
        experiment.asks,
        rows,
        ", ".join(sorted(set(table.protocol.dropna()))),
        list(_curves(found, table)),
        list(_histories(found)),
        list(_matrices(found)),
        list(_pictures(found, question, left_out)),
        {} if known else _elsewhere(experiment),
    )


def _row(
    found: Found,
    row: Row,
    table: pd.DataFrame,
    environment: Mapping[str, Any],
    told: Sequence[Any],
    most: int,
) -> page.Row:
    lines = table[table.row == row.name]
    there = table[table["mean"].notna() | table.published.notna()].measure
    measures = [measure for measure in table.measure.unique() if measure in set(there)]
    by_measure = lines.set_index("measure")
    numbers = {
        measure: page.Number(
            *(_or_none(by_measure.at[measure, column]) for column in
              ("mean", "deviation", "published", "difference"))
        )
        for measure in measures
        if measure in by_measure.index
    }  # fmt: skip
    notes = [
        row.note,
        *(line.note.removeprefix(row.note).strip("; ") for line in lines.itertuples()),
    ]
    notes = [note for note in dict.fromkeys(notes) if note]
    if row.quoted:
        return page.Row(row.name, page.Status.QUOTED, numbers=numbers, notes=notes)

    variant, trials = found.variants[row.name], found.trials(row.name)
    runs = [run for run in told if run.data.tags.get("row") == row.name]
    status, trouble = _status(trials, most, _failed(runs, variant, trials))
    return page.Row(
        row.name,
        status,
        describe(row.features, row.metric),
        [_trial(found, variant, trial) for trial in trials],
        numbers,
        parameters_that_differ(variant, environment),
        _facts(found, variant, trials, runs),
        list(_commands(found, row, variant, trials or ["trial_00"], most)),
        notes + trouble,
    )


def _status(trials: list[str], most: int, failed: list[str]) -> tuple[page.Status, list[str]]:
    """Say how far a row is, beside the one of its experiment that has the most trials."""
    if failed:
        names = ", ".join(failed)
        why = f"Failed: {names}. Running the row again says why, and makes what is missing."
        return (page.Status.PARTLY if trials else page.Status.FAILED), [why]
    if not trials:
        return page.Status.NOT_RUN, []
    if len(trials) < most:
        return page.Status.PARTLY, [f"{len(trials)} of {most} trials are finished."]
    return page.Status.FINISHED, []


def _failed(runs: Sequence[Any], variant: Variant, trials: list[str]) -> list[str]:
    """Name the trials whose run failed and that no later run finished."""
    failed = set()
    for run in runs:
        tags = run.data.tags
        if run.info.status in ("FAILED", "KILLED") and tags.get("variant") == variant.key:
            failed.add(tags.get("trial", "before the first trial"))
    if trials:  # what trials share did work in the end
        failed.discard("before the first trial")
    return sorted(failed - set(trials))


def _facts(
    found: Found, variant: Variant, trials: list[str], runs: Sequence[Any]
) -> dict[str, str]:
    done = [record for trial in trials if (record := found.results.done(variant, trial))]
    row_run = [run.info.run_id for run in runs if "mlflow.parentRunId" not in run.data.tags
               and run.data.tags.get("variant") == variant.key
               and "stage" not in run.data.tags]  # fmt: skip
    facts = {
        "variant": variant.key,
        "data": ", ".join(sorted({record.data for record in done})),
        "cubes": _cubes(found.results, variant) if variant.needs_cubes else "",
        "commit": ", ".join(sorted({record.commit[:12] for record in done})),
        "MLflow run": row_run[0] if row_run else "",
    }
    return {name: value for name, value in facts.items() if value}


def _trial(found: Found, variant: Variant, trial: str) -> page.Trial:
    done = found.results.done(variant, trial)
    facts = {
        "split": done.split,
        "network": network_fingerprint(found.results, variant, trial),
        "MLflow run": done.mlflow_run_id or "",
        "took": f"{done.seconds:.0f} s",
        "finished": done.finished[:16].replace("T", " "),
    }
    return page.Trial(trial, {name: value for name, value in facts.items() if value})


def _cubes(results: Results, variant: Variant) -> str:
    """Name the store of cubes that a variant read: its key says backbone, weights and frames."""
    notes = sorted(results.folder("04_feature", variant).glob("cubes_identity.json/*/*.json"))
    return str(json.loads(notes[-1].read_text(encoding="utf-8")).get("key", "")) if notes else ""


def network_fingerprint(results: Results, variant: Variant, trial: str) -> str:
    """Return a fingerprint of the network that a trial's numbers come from; empty without one.

    Parameters
    ----------
    results : Results
        Of the variant's data set.
    variant : Variant
        Whose; a borrowed network is looked for where it was trained.
    trial : str
        As ``trial_00``.
    """
    if variant.source is not None:
        results, variant = Results(results.root, variant.source.dataset), variant.source
    if not variant.trains:
        return ""
    try:
        path = results.network_path(variant, trial)
    except LookupError:
        return "no longer there"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:LENGTH]


def _commands(
    found: Found, row: Row, variant: Variant, trials: list[str], most: int
) -> Iterator[page.Command]:
    name = found.experiment.name
    whole = experiment_command(name, row.name, found.env, most, found.trained_on, found.params)
    yield page.Command("The row, what is finished left as it is", whole)
    for purpose, line in plain_commands(variant, trials[0], most):
        yield page.Command(f"The same as plain runs: {purpose}", line)


def _curves(found: Found, table: pd.DataFrame) -> Iterator[page.Curve]:
    ranked = table.assign(rank=table.measure.str.extract(r"^rank-(\d+)$", expand=False))
    for row in found.experiment.rows:
        theirs = ranked[(ranked.row == row.name) & ranked["rank"].notna()].dropna(
            subset="published"
        )
        published = dict(zip(theirs["rank"].astype(int), theirs.published, strict=True))
        means = _over_trials(found, row) if found.trials(row.name) else None
        if means is not None and len(means):
            several = not means["std"].isna().any()
            yield page.Curve(row.name, means.index.to_list(), means["mean"].to_list(),
                             means["std"].to_list() if several else (), published)  # fmt: skip
        elif published:
            yield page.Curve(row.name, published=published)


def _over_trials(found: Found, row: Row) -> pd.DataFrame:
    """Return mean and deviation in percent at the ranks that all trials have."""
    scores = found.results.scores(found.variants[row.name])
    rank = scores.measure.str.extract(r"^rank-(\d+)$", expand=False)
    own = (scores.features == row.features) & (scores.metric == row.metric) & rank.notna()
    ranked = scores[own].assign(rank=rank[own].astype(int))
    values = 100 * ranked.pivot(index="rank", columns="trial", values="value").dropna()
    return pd.DataFrame({"mean": values.mean(axis=1), "std": values.std(axis=1, ddof=1)})


def _histories(found: Found) -> Iterator[page.History]:
    """Give the course of each training; rows that share one network have one course."""
    from wherewhen.reporting.validation import convergence_table

    seen = set()
    for row, variant in found.variants.items():
        trials = found.trials(row)
        if not (variant.trains and trials) or variant.key in seen:
            continue
        seen.add(variant.key)
        histories = {trial: found.results.history(variant, trial) for trial in trials}
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
    from wherewhen.experiments.figures import folder_of

    for path in sorted(folder_of(found.results, found.experiment).glob("lengths*.csv")):
        table = pd.read_csv(path)
        cells = 100 * table.pivot_table("rank-1", "probe_frames", "gallery_frames", "mean")
        row = path.stem.removeprefix("lengths").strip("_").replace("_", " ")
        yield page.LengthMatrix(
            row or next(iter(found.variants)),
            cells.index.to_list(),
            cells.columns.to_list(),
            cells.to_numpy().tolist(),
        )


def _pictures(found: Found, question: Question, left_out: list[str]) -> Iterator[page.Picture]:
    """Give the pictures that the page may show, and note how many it may not."""
    from wherewhen.experiments.figures import folder_of

    newest = max(datetime.fromisoformat(done.finished).timestamp() for done in found.done())
    held_back = 0
    for path in sorted(folder_of(found.results, found.experiment).glob("*.png")):
        kind = next((kind for kind in _KINDS if path.stem.startswith(kind)), "")
        if kind in DRAWN_BY_THE_PAGE:
            continue
        if kind not in WITHOUT_PEOPLE and not question.with_pictures:
            held_back += 1
            continue
        fallback = f"{path.stem.replace('_', ' ')}."
        caption, description = (WITHOUT_PEOPLE | OF_PEOPLE).get(kind, (fallback, fallback))
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
            f"{found.name} on {found.results.dataset}: {figures} with frames of people left out; "
            "--with-pictures shows them, to those who may see them."
        )


_KINDS = (*DRAWN_BY_THE_PAGE, *WITHOUT_PEOPLE, *OF_PEOPLE)


def _elsewhere(experiment: Experiment) -> dict[str, dict[str, str]]:
    """Return the published figures by row and data set, the ranks in one cell."""
    theirs = orientation(experiment)
    if theirs.empty:
        return {}
    ranks = " / ".join(theirs.measure.unique())
    text = format_orientation(theirs).set_index("row")
    return text.rename(columns=lambda name: f"{name}, {ranks}").to_dict("index")


def _size(results: Results) -> dict[str, str]:
    """Count the people of a data set, as its tables do; nothing without tables."""
    path = results.root / "data/03_primary" / results.dataset / "tracklets.parquet"
    if not path.is_file():
        return {}
    table = pd.read_parquet(path, columns=["tracklet", "person", "camera"])
    counted = {"persons": "person", "cameras": "camera", "tracklets": "tracklet"}
    return {name: f"{table[column].nunique():,}" for name, column in counted.items()}


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
