"""Kedro sessions, and views of the artifacts that a session would find, without running it.

Every run is a session: of the command line, a notebook, an experiment's row, a sweep's evaluation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from wherewhen.environments import check_environment, config_loader
from wherewhen.hints import did_you_mean
from wherewhen.lineage.catalog import Catalog
from wherewhen.pipelines.stages import stages
from wherewhen.presets import overlay
from wherewhen.project import project_root

if TYPE_CHECKING:
    from wherewhen.lineage.ledger import Ledger

Tree = dict[str, Any]
"""Parameters as nested mappings, as Kedro merges them."""


class SessionError(ValueError):
    """A session that can't be run as asked."""


class Session(KedroSession):
    """Kedro's session, in which a run makes what is missing or out of date and nothing else."""

    @classmethod
    def create(
        cls,
        project_path: Path | str | None = None,
        save_on_close: bool = True,
        env: str | None = None,
        runtime_params: Mapping[str, Any] | None = None,
        conf_source: str | None = None,
    ) -> Self:
        """Create a session; see Kedro's.

        Raises
        ------
        wherewhen.environments.ConfigurationError
            If there is no such environment, or no configuration.
        """
        source = Path(conf_source or Path(project_path or project_root()) / "conf")
        check_environment(env, source)
        return super().create(
            project_path, save_on_close, env, dict(runtime_params or {}), str(source)
        )

    def run(self, *arguments: Any, runner: Any = None, **options: Any) -> dict[str, Any]:
        """Run pipelines; see Kedro's.

        Raises
        ------
        SessionError
            For what would get round the records: another runner, chosen versions; for pipelines,
            nodes, namespaces and data sets that there aren't.
        """
        from wherewhen.lineage.runner import Runner

        if options.pop("load_versions", None):
            raise SessionError(
                "--load-versions is not needed: a version is the identity of what the parameters "
                "ask for, so give the parameters (or --env) of the run whose results you want"
            )
        if runner is None or type(runner) is SequentialRunner:
            runner = Runner(is_async=getattr(runner, "_is_async", False))
        if not isinstance(runner, Runner):
            raise SessionError(
                f"{type(runner).__name__} does not look at what was made already: expected none, "
                "or a wherewhen.lineage.runner.Runner"
            )
        _check_names("pipeline", options.get("pipeline_names"), list(stages()))
        try:
            return super().run(*arguments, runner=runner, **options)
        except ValueError:
            _check_part(options)  # Kedro says what is not there, and not what was meant
            raise


def _check_part(options: Mapping[str, Any]) -> None:
    """Refuse a part of pipelines that names what isn't in them."""
    parts = {
        "node": ("node_names", "from_nodes", "to_nodes"),
        "namespace": ("namespaces",),
        "data set": ("from_inputs", "to_outputs"),
    }
    if not any(options.get(option) for each in parts.values() for option in each):
        return
    names = options.get("pipeline_names") or ["__default__"]
    chosen = sum((pipelines[name] for name in names), Pipeline([]))
    known = {
        "node": [node.name for node in chosen.nodes],
        "namespace": sorted({node.namespace for node in chosen.nodes if node.namespace}),
        "data set": sorted(chosen.datasets()),
    }
    for kind, each in parts.items():
        for option in each:
            _check_names(kind, options.get(option), known[kind])


def _check_names(kind: str, asked: Iterable[str] | None, known: Sequence[str]) -> None:
    for name in asked or ():
        if name not in known and name != "__default__":
            hint = did_you_mean(name, known, f"there are {', '.join(known)}")
            raise SessionError(f"no {kind} is called {name!r}; {hint}")


def run(
    env: str | None, parameters: Mapping[str, Any], stages: Iterable[str], **which: Any
) -> None:
    """Run stages in a session of their own.

    Parameters
    ----------
    env : str, optional
        The environment; None: Kedro's default.
    parameters : mapping
        Over the environment's, nested.
    stages : iterable of str
        Names of pipelines.
    **which
        What of them: ``namespaces``, ``to_outputs``, as `KedroSession.run` takes it.
    """
    with Session.create(project_root(), env=env, runtime_params=parameters) as session:
        session.run(pipeline_names=list(stages), **which)


@dataclass(frozen=True)
class View:
    """The artifacts that some parameters ask for, and which of them are there.

    See Also
    --------
    wherewhen.lineage.ledger.Ledger : Identities and records.
    """

    env: str | None
    """The environment."""
    overrides: Tree
    """What differs from the environment's parameters, nested."""
    parameters: Any
    """The typed tree."""
    catalog: Catalog
    """Loads what the parameters ask for, and nothing else."""

    @property
    def ledger(self) -> Ledger:
        """Identities and records."""
        return self.catalog.ledger

    @property
    def dataset(self) -> str:
        """What the data set is called."""
        return self.parameters.evaluate.dataset

    @classmethod
    def of(
        cls,
        env: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        contents: dict[Path, str] | None = None,
    ) -> Self:
        """Look at an environment with other parameters.

        Parameters
        ----------
        env : str, optional
            The environment; None: Kedro's default.
        overrides : mapping, optional
            Nested.
        contents : dict of Path to str, optional
            See `wherewhen.lineage.ledger.Ledger`.

        Raises
        ------
        wherewhen.environments.ConfigurationError, wherewhen.pipelines.parameters.ParameterError
            If there is no such environment or parameter.
        """
        from wherewhen.lineage.ledger import Ledger
        from wherewhen.lineage.place import kept_in
        from wherewhen.pipeline_registry import build_pipelines
        from wherewhen.pipelines.parameters import check_parameters

        parameters = check_parameters(overlay(environment_parameters(env), overrides or {}))
        config = _config(env, project_root(), "catalog")
        catalog = Catalog.from_config(_absolute(config, project_root()))
        catalog.ledger = Ledger(
            build_pipelines(parameters), parameters, catalog, contents, kept_in(parameters)
        )
        return cls(env, dict(overrides or {}), parameters, catalog)


def environment_parameters(env: str | None) -> Tree:
    """Return the parameters of an environment as its files say them, nested."""
    return _config(env, project_root(), "parameters")


@cache
def _config(env: str | None, root: Path, kind: str) -> Tree:
    """Read a part of the configuration once; `root` tells projects of a process apart."""
    return config_loader(env)[kind]


def forget_configuration() -> None:
    """Read configurations anew from now on: an environment was removed."""
    _config.cache_clear()


def _absolute(config: Any, root: Path) -> Any:
    """Make the paths of a catalog absolute, as a session does."""
    if not isinstance(config, Mapping):
        return config
    return {
        name: (root / value).as_posix()
        if name == "filepath" and isinstance(value, str)
        else _absolute(value, root)
        for name, value in config.items()
    }
