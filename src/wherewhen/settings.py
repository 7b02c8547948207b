"""Kedro's settings: how configuration is merged, which catalog is used, which hooks listen.

Every command imports this file, also one that prints help: it and the hooks import nothing heavy.
"""

from wherewhen.hooks import ProjectHooks, RunHooks
from wherewhen.lineage.catalog import Catalog
from wherewhen.sessions import Session

DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry", "kedro-viz")
HOOKS = (ProjectHooks(), RunHooks())
DATA_CATALOG_CLASS = Catalog
SESSION_CLASS = Session

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft", "globals": "soft"},
}
