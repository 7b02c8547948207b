"""Kedro's settings: how configuration is merged and which hooks listen (the Kedro side).

MLflow's database and artifacts are resolved against the project's root, not against the working
directory: a notebook that runs in ``notebooks/`` must find the runs of the command line.
"""

import os

from wherewhen import pipeline_registry
from wherewhen.hooks import FingerprintHooks, ProjectHooks, SummaryHooks, TrackingHooks
from wherewhen.project import project_root


def tracking_uri() -> str:
    """Return ``MLFLOW_TRACKING_URI`` when it is set, else an SQLite file under the root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{project_root() / 'mlflow.db'}"


def artifact_root() -> str:
    """Return where artifacts of a new MLflow experiment go when no server decides that."""
    return os.environ.get("WHEREWHEN_ARTIFACTS") or (project_root() / "mlartifacts").as_uri()


def variant_folder() -> str:
    """Return the folder, under a data set's, of this run's results: ``.`` for the plain run.

    The hooks have checked the parameters before any catalog is read.
    """
    name = pipeline_registry.parameters().variant
    return "." if name is None else f"variants/{name}"


# kedro-mlflow's own hook is replaced by TrackingHooks, which spells typed parameters out.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry", "kedro-viz", "kedro_mlflow")
HOOKS = (ProjectHooks(), TrackingHooks(), FingerprintHooks(), SummaryHooks())

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft", "globals": "soft", "mlflow": "soft"},
    "custom_resolvers": {
        "tracking_uri": tracking_uri,
        "artifact_root": artifact_root,
        "variant": variant_folder,
    },
}
