"""Kedro's settings: how configuration is merged, which catalog is used, which hooks listen.

Every command imports this file, also one that prints help: it and the hooks import nothing heavy.
"""

from wherewhen.environments import CONFIG_LOADER_ARGS as CONFIG_LOADER_ARGS
from wherewhen.hooks import ProjectHooks, RunHooks
from wherewhen.lineage.catalog import Catalog
from wherewhen.sessions import Session

DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry", "kedro-viz")
HOOKS = (ProjectHooks(), RunHooks())
DATA_CATALOG_CLASS = Catalog
SESSION_CLASS = Session
