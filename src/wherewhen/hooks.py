"""Listeners of a Kedro run: parameters checked as a whole, lineage and results in MLflow.

What a data set wants tracked stands in the catalog, under ``metadata.mlflow``:

``artifact_path``
    the saved file or folder is logged there as an artifact
``tags``
    ``{tag: field}``: fields of a saved JSON object become tags of the run
``model``
    the saved network is logged as an MLflow model of that name
"""

import logging
import subprocess
import warnings
from pathlib import Path
from typing import Any

import mlflow
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from pydantic import BaseModel

from wherewhen import pipeline_registry
from wherewhen.pipelines.parameters import check_parameters

# MLflow advises kedro-mlflow's authors about type hints at every start, and sets a filter of its
# own for it that no other filter gets before.
with warnings.catch_warnings(record=True):
    from kedro_mlflow.framework.hooks.mlflow_hook import MlflowHook

log = logging.getLogger(__name__)


class ProjectHooks:
    """Check the whole parameter tree first, then build the pipelines that it asks for."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Refuse a mistyped parameter before any work, and fit the pipelines to the rest."""
        parameters = check_parameters(context.config_loader["parameters"])
        pipeline_registry.configure(parameters)
        # Kedro caches the pipelines of a process; a second session may ask for other trials.
        pipelines.configure(pipeline_registry.__name__)


class TrackingHooks(MlflowHook):
    """kedro-mlflow's hook, told how to spell a typed parameter: as its plain fields."""

    @hook_impl
    def before_node_run(
        self, node: Node, catalog: DataCatalog, inputs: dict[str, Any], is_async: bool
    ) -> None:
        """Log the parameters of a node, typed ones as a flat tree of their fields."""
        plain = {
            name: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
            for name, value in inputs.items()
        }
        super().before_node_run(node, catalog, plain, is_async)


class FingerprintHooks:
    """Tie a run's results to what they came from: parameters, commit, data, weights."""

    @hook_impl(trylast=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Log the whole parameter tree, the data set's name, and the commit."""
        if mlflow.active_run() is None:
            return
        tree = pipeline_registry.parameters()
        mlflow.log_dict(tree.model_dump(mode="json"), "parameters.yml")
        project = Path(run_params["project_path"])
        mlflow.set_tags({"dataset": tree.evaluate.dataset, **commit_tags(project)})

    @hook_impl
    def after_catalog_created(self, catalog: DataCatalog) -> None:
        """Keep the catalog: only it knows a data set's file and what to track of it."""
        self._catalog = catalog

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Log what the data set's ``metadata.mlflow`` asks for."""
        if mlflow.active_run() is None:
            return
        dataset = self._catalog.get(dataset_name)
        wanted = (getattr(dataset, "metadata", None) or {}).get("mlflow", {})
        if "artifact_path" in wanted:
            saved = saved_path(dataset)
            log_path = mlflow.log_artifacts if saved.is_dir() else mlflow.log_artifact
            log_path(str(saved), wanted["artifact_path"])
        for tag, field in wanted.get("tags", {}).items():
            if field in data:  # the report of a data set that can't be read has no fingerprint
                mlflow.set_tag(tag, data[field])
        if "model" in wanted:
            from wherewhen.tracking import log_network

            log_network(saved_path(dataset), wanted["model"])


class SummaryHooks:
    """Say at the end of a run what came out of it."""

    @hook_impl(tryfirst=True)
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Print the table of scores, and where to look further."""
        if "scores" not in pipeline.all_outputs():
            return
        from rich.console import Console

        from wherewhen.reporting.tables import console_table, summarise

        scores = catalog.load("scores")
        console = Console()
        said = scores.dataset.iloc[0], scores.protocol.iloc[0]
        definition = pipeline_registry.parameters().evaluate.average_precision
        console.print(console_table(summarise(scores), *said, definition))
        console.print("Compare runs and see the figures: [bold]uv run kedro mlflow ui[/bold]")


def saved_path(dataset: Any) -> Path:
    """Return the file or folder a data set wrote last, its version included."""
    if hasattr(dataset, "resolve_save_path"):
        return Path(dataset.resolve_save_path())
    if getattr(dataset, "_version", None):
        return Path(str(dataset._get_load_path()))
    return Path(str(dataset._filepath))


def commit_tags(project: Path) -> dict[str, str]:
    """Return the commit that ran and whether the working tree differed from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(project), *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return {
            "git_commit": git("rev-parse", "HEAD"),
            "git_dirty": str(bool(git("status", "--porcelain", "--untracked-files=no"))).lower(),
        }
    except (OSError, subprocess.CalledProcessError):
        return {"git_commit": "unknown: not a git checkout"}
