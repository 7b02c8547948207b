"""Listeners of a Kedro session: parameters checked, records written, MLflow told.

What a data set wants tracked stands in the catalog, under ``metadata.mlflow``:

``artifact_path``
    the saved file or folder is logged there as an artifact
``tags``
    ``{tag: field}``: fields of a saved JSON object become tags of the run
``model``
    the saved folder of a model is logged as an MLflow model of that name
``metrics``
    the rows of a table of measures become metrics, ``<this>.<trial>.<network>.<measure>``
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl

if TYPE_CHECKING:
    from kedro.pipeline import Node, Pipeline

    from wherewhen.lineage.catalog import Catalog
    from wherewhen.tracking import Tracker

log = logging.getLogger(__name__)


class ProjectHooks:
    """Check the whole parameter tree first, then build the pipelines that it asks for."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Refuse a mistyped parameter before any work; hand stages the rest as they read it."""
        from kedro.framework.project import pipelines

        from wherewhen import pipeline_registry
        from wherewhen.devices import set_cublas_workspace
        from wherewhen.environments import check_footage
        from wherewhen.pipelines.parameters import check_device, check_guidance, check_parameters

        loader = context.config_loader
        parameters = check_parameters(loader["parameters"])
        check_footage(parameters, loader)
        check_device(parameters)
        check_guidance(parameters)
        if parameters.train.training.deterministic:
            set_cublas_workspace()  # here: extraction uses the GPU before the training does
        pipeline_registry.configure(parameters)
        loader["parameters"] = parameters.groups  # typed: the chosen preset, expanded paths
        # Kedro caches the pipelines of a process; a second session may ask for other trials.
        pipelines.configure(pipeline_registry.__name__)

    @hook_impl
    def after_catalog_created(self, catalog: Catalog) -> None:
        """Let the catalog know what is made of what."""
        from wherewhen import pipeline_registry
        from wherewhen.lineage.catalog import Catalog
        from wherewhen.lineage.ledger import Ledger
        from wherewhen.lineage.place import kept_in

        if isinstance(catalog, Catalog):
            parameters = pipeline_registry.parameters()
            stages = pipeline_registry.build_pipelines(parameters)
            catalog.ledger = Ledger(stages, parameters, catalog, files=kept_in(parameters))


class RunHooks:
    """Write the record of everything that is made, and tell MLflow of the run."""

    def __init__(self) -> None:
        self._tracker: Tracker | None = None
        self._context: KedroContext | None = None
        self._catalog: Catalog | None = None
        self._made: set[str] = set()
        self._started: dict[str, datetime] = {}
        self._stamp: dict[str, Any] = {}
        """What the records of a run have in common: commit, versions, MLflow run."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the context, which knows the environment and where the configuration is."""
        self._context = context

    @hook_impl
    def after_catalog_created(self, catalog: Catalog) -> None:
        """Keep the catalog: it knows a data set's file and what to track of it."""
        self._catalog = catalog

    @hook_impl(trylast=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: Catalog
    ) -> None:
        """Start the MLflow run: what it is, and what decides its numbers."""
        from wherewhen.describe import command_of, commit, name_of, versions
        from wherewhen.lineage.records import flat
        from wherewhen.tracking import Tracker

        ledger = catalog.ledger
        names = _parameter_names(ledger, pipeline)
        dataset = ledger.parameters.evaluate.dataset
        revision, dirty = commit(self._context.project_path)
        tags = {
            "dataset": dataset,
            "environment": self._context.env or "local",  # Kedro's default
            "command": command_of(run_params, self._context),
            "git_commit": revision,
            "git_dirty": str(dirty).lower(),
        }
        self._made.clear()
        self._tracker = Tracker.start(dataset, name_of(ledger, run_params), tags)
        commit_text = f"{revision}+" if dirty else revision
        self._stamp = {
            "commit": commit_text, "versions": versions(), "run_id": self._tracker.run_id
        }  # fmt: skip
        self._tracker.log_parameters(
            {
                path: value
                for name in names
                for path, value in flat(_plain(ledger, name), f"{name}.").items()
            }
        )
        self._tracker.log_dict(ledger.parameters.model_dump(mode="json"), "parameters.yml")

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Note when a node begins."""
        self._started[node.name] = datetime.now(UTC)

    @hook_impl
    def before_dataset_saved(self, dataset_name: str) -> None:
        """Take away what lies where an artifact is about to be written."""
        if self._is_an_artifact(dataset_name):
            self._catalog.ledger.prepare(dataset_name)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Log what the data set's ``metadata.mlflow`` asks for; then write the record."""
        if not self._is_an_artifact(dataset_name):
            return
        ledger = self._catalog.ledger
        model_id = self._log_artifact(dataset_name) if self._tracker else None
        started = self._started.get(node.name, datetime.now(UTC))
        ledger.made(dataset_name, started=started, model_id=model_id, **self._stamp)
        self._made.add(dataset_name)

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: Catalog) -> None:
        """Tell MLflow what came out and what was taken over; print the table of scores.

        Raises
        ------
        wherewhen.tracking.TrackingError
            At the very end, if MLflow was not told all of it.
        """
        from wherewhen.describe import print_scores
        from wherewhen.tracking import is_described

        self._log_results(pipeline)
        self._tracker.end("FINISHED")
        if not is_described():
            self._register()
            if "scores" in pipeline.all_outputs():
                try:
                    print_scores(catalog, self._tracker.run_id)
                except Exception as error:  # the run is finished, whatever the table says
                    log.warning("the table of scores can't be printed: %s", error)
        self._tracker.require_told()

    @hook_impl
    def on_pipeline_error(self, error: Exception, pipeline: Pipeline) -> None:
        """End the MLflow run as failed, with what was made before."""
        from wherewhen.tracking import TrackingError

        if self._tracker is None:
            return
        try:
            self._log_results(pipeline)
        except Exception as second:  # the first error is the one to be seen
            log.warning("MLflow was not told what was made before the error: %s", second)
        self._tracker.end("FAILED")
        try:
            self._tracker.require_told()
        except TrackingError as second:
            log.warning("%s", second)

    # --- helpers ---------------------------------------------------------------------------------

    def _is_an_artifact(self, name: str) -> bool:
        ledger = getattr(self._catalog, "ledger", None)
        return ledger is not None and ledger.maker(name) is not None and ledger.is_kept(name)

    def _log_artifact(self, name: str) -> str | None:
        """Log an artifact as the catalog asks for it; return the id of its model, if it is one."""
        from wherewhen.registry import log_model

        wanted, file = _wanted(self._catalog, name), self._catalog.ledger.file(name)
        if "artifact_path" in wanted:
            self._tracker.log_file(file, wanted["artifact_path"])
        if "model" not in wanted:
            return None
        maker = self._catalog.ledger.maker(name).name
        return self._tracker.obtain(
            f"the model {name} (`kedro run --nodes {maker} --anew` logs it)",
            lambda: log_model(file, wanted["model"], self._tracker.run_id),
        )

    def _register(self) -> None:
        """Register the model of the first trial, if this run has made it."""
        from wherewhen.pretrained.card import CARD, read_card
        from wherewhen.registry import about, register

        ledger = self._catalog.ledger
        trial = ledger.parameters.split.trial_names[0]
        if f"{trial}.model" not in self._made:
            return
        dataset = ledger.parameters.evaluate.dataset
        record = ledger.record(f"{trial}.model")
        if record.model_id is None:
            return  # MLflow could not be told of it
        try:
            splits = json.loads(ledger.file("split_fingerprints").read_text(encoding="utf-8"))
            tags = about(
                read_card(ledger.file(f"{trial}.model") / CARD),
                trial=trial,
                split_fingerprint=splits[trial],
                run_id=self._tracker.run_id,
                git_commit=record.commit,
            )
            log.info(register(record.model_id, dataset, tags))
        except Exception as error:  # the run is finished, whatever the registry says
            log.warning(
                "the model of this run was not registered: %s. See to it, and register it in "
                "`kedro mlflow ui` (Models, %s of this run, Register), or serve it as models:/%s",
                error, trial, record.model_id,
            )  # fmt: skip

    def _log_results(self, pipeline: Pipeline) -> None:
        """Log what the results follow from, and the scores among them."""
        from wherewhen.tracking import TAKEN_OVER, artifact_list

        ledger, tracker = self._catalog.ledger, self._tracker
        nodes = ledger.ancestors(pipeline.all_outputs() | pipeline.inputs())
        names = [name for node in nodes for name in node.outputs if ledger.is_kept(name)]
        listed = artifact_list(ledger, names, self._made)
        for entry in listed:
            wanted = _wanted(self._catalog, entry["artifact"])
            entry["logged_here"] = not entry["taken_over"] and bool(
                {"artifact_path", "model"} & set(wanted)
            )
        tracker.log_dict(listed, "lineage.json")
        tags = {
            f"{TAKEN_OVER}{entry['artifact']}": entry["made_by"] or "unknown"
            for entry in listed
            if entry["taken_over"]
        }
        there = {entry["artifact"] for entry in listed}
        for name in there:
            for tag, field in _wanted(self._catalog, name).get("tags", {}).items():
                content = json.loads(ledger.file(name).read_text(encoding="utf-8"))
                if field in content:  # the report of a data set that can't be read has none
                    tags[tag] = str(content[field])
        tracker.set_tags(tags)
        data = self._log_data(tags, there)
        self._log_scores(there, data)
        self._log_measures(there, data)

    def _log_data(self, tags: dict[str, str], there: set[str]) -> tuple[str, str]:
        """Log the data set and its splits as what the run worked on; return name and digest."""
        parameters = self._catalog.ledger.parameters
        dataset, digest = parameters.evaluate.dataset, tags.get("dataset_fingerprint", "")
        if "tracklets" in there and digest:
            source = {
                "reader": parameters.ingest.reader,
                "root": str(parameters.ingest.root or "rendered"),
            }
            self._tracker.log_data(dataset, digest, source, "data")
        if "splits" in there and "split_fingerprint" in tags:
            source = {"splits": tags["split_source"]}
            self._tracker.log_data(f"{dataset} split", tags["split_fingerprint"], source, "split")
        return dataset, digest

    def _log_scores(self, there: set[str], data: tuple[str, str]) -> None:
        """Log scores: means and deviations, and each trial's with the network that it is of."""
        import pandas as pd

        from wherewhen.tracking import score_metrics

        ledger = self._catalog.ledger
        tables = [
            pd.read_parquet(ledger.file(name)) for name in sorted(there) if ".scores_" in name
        ]
        if not tables:
            return
        scores = pd.concat(tables, ignore_index=True)
        for trial, of_trial in scores.groupby("trial"):
            name = f"{trial}.model"
            model = ledger.record(name).model_id if name in there else None
            for features, rows in of_trial.groupby("features"):
                values = {f"{trial}.{name}": value for name, value in score_metrics(rows).items()}
                self._tracker.log_metrics(values, model if features == "network" else None, data)
        if scores.trial.nunique() == ledger.parameters.split.trials:
            self._tracker.log_metrics(score_metrics(scores), data=data)

    def _log_measures(self, there: set[str], data: tuple[str, str]) -> None:
        """Log the tables of measures whose catalog entries ask for it."""
        from wherewhen.tracking import measure_metrics

        for name in sorted(there):
            if prefix := _wanted(self._catalog, name).get("metrics"):
                table = self._catalog.load(name)
                self._tracker.log_metrics(measure_metrics(table, prefix), data=data)


def _wanted(catalog: Catalog, name: str) -> dict[str, Any]:
    metadata = getattr(catalog.unbound(name), "metadata", None) or {}
    return metadata.get("mlflow", {})


def _parameter_names(ledger: Any, pipeline: Pipeline) -> list[str]:
    """Name the parameters that decide what a pipeline makes, those of earlier stages among them."""
    nodes = [*ledger.ancestors(pipeline.inputs()), *pipeline.nodes]
    found = {name.removeprefix("params:") for node in nodes for name in node.inputs
             if name.startswith("params:")}  # fmt: skip
    return sorted(found)


def _plain(ledger: Any, name: str) -> Any:
    """Return a parameter as plain values."""
    from wherewhen.lineage.ledger import parameter

    value = parameter(ledger.parameters, name)
    return value.model_dump(mode="json", by_alias=True) if hasattr(value, "model_dump") else value
