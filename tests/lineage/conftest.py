"""A small project of three nodes, whose artifacts lie in files: draws -> doubles -> total."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from kedro.framework.hooks import hook_impl
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.pipeline import Pipeline, node
from pydantic import BaseModel

from wherewhen.execution.config import ExecutionConfig
from wherewhen.files import DISK, Files
from wherewhen.lineage.catalog import Catalog
from wherewhen.lineage.ledger import Ledger
from wherewhen.lineage.runner import Runner
from wherewhen.tracklets.fingerprint import OPERATIONAL

CALLS: list[str] = []
"""Names of the functions that have run."""


class Draw(BaseModel):
    """What the first node reads."""

    start: int = 1
    count: int = 3
    workers: Annotated[int, OPERATIONAL] = 1


class Parameters(BaseModel):
    """The tree of the small project."""

    draw: Draw = Draw()
    factor: int = 2
    speed: Annotated[int, OPERATIONAL] = 1
    file: Path | None = None
    evaluate: Any = SimpleNamespace(dataset="small")
    device: str = "cpu"
    execution: ExecutionConfig = ExecutionConfig()
    train: Any = SimpleNamespace(training=SimpleNamespace(processes=1))


def draw(parameters: Draw) -> dict[str, list[int]]:
    """Count up."""
    CALLS.append("draw")
    return {"numbers": list(range(parameters.start, parameters.start + parameters.count))}


def double(
    numbers: dict[str, list[int]], factor: int, speed: int
) -> tuple[dict[str, Any], dict[str, int]]:
    """Multiply, and note how many there are."""
    CALLS.append("double")
    found = [number * factor for number in numbers["numbers"]]
    return {"numbers": found}, {"count": len(found)}


def add(numbers: dict[str, Any], count: dict[str, int]) -> dict[str, int]:
    """Add up."""
    CALLS.append("add")
    return {"total": sum(numbers["numbers"]), "count": count["count"]}


@dataclass
class Project:
    """The project in a folder, with parameters."""

    root: Path
    files: Files = DISK
    folder: str = "data"
    stamp: dict[str, Any] = field(
        default_factory=lambda: {"commit": "0123", "versions": {"python": "3"}, "run_id": "run"}
    )

    def stages(self) -> dict[str, Pipeline]:
        """Return the pipelines by name."""
        first = Pipeline([node(draw, "params:draw", "drawn", name="draw")])
        second = Pipeline(
            [
                node(
                    double,
                    ["drawn", "params:factor", "params:speed"],
                    ["doubled", "counted"],
                    name="double",
                )
            ]
        )
        third = Pipeline([node(add, ["doubled", "counted"], "total", name="add")])
        return {
            "first": first,
            "second": second,
            "third": third,
            "__default__": first + second + third,
        }

    def catalog(self, **parameters: Any) -> Catalog:
        """Return a catalog that knows what the parameters ask for."""

        def file(name: str, versioned: bool = True) -> dict[str, Any]:
            path = self.root / self.folder / f"{name}.json"
            return {"type": "json.JSONDataset", "filepath": str(path), "versioned": versioned}

        found = Catalog.from_config(
            {
                "drawn": file("drawn"),
                "doubled": file("doubled"),
                "counted": {"type": "MemoryDataset"},
                "total": file("total", versioned=False),
            }
        )
        typed = Parameters(**parameters)
        for name in ("draw", "factor", "speed"):
            found[f"params:{name}"] = getattr(typed, name)
        found.ledger = Ledger(self.stages(), typed, found, files=self.files)
        return found

    def run(self, *stages: str, anew: bool = False, **parameters: Any) -> list[str]:
        """Run stages, or all of them; return the functions that ran."""
        catalog = self.catalog(**parameters)
        pipelines = self.stages()
        pipeline = sum((pipelines[name] for name in stages or ["__default__"]), Pipeline([]))
        manager = _create_hook_manager()
        manager.register(_Records(catalog, self.stamp))
        CALLS.clear()
        Runner(anew).run(pipeline, catalog, manager)
        return list(CALLS)


class _Records:
    """What the hooks of a session do about records."""

    def __init__(self, catalog: Catalog, stamp: dict[str, Any]) -> None:
        self._ledger, self._stamp = catalog.ledger, stamp

    def _is_kept(self, name: str) -> bool:
        return self._ledger.maker(name) is not None and self._ledger.is_kept(name)

    @hook_impl
    def before_dataset_saved(self, dataset_name: str) -> None:
        if self._is_kept(dataset_name):
            self._ledger.prepare(dataset_name)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str) -> None:
        if self._is_kept(dataset_name):
            self._ledger.made(dataset_name, started=datetime.now(UTC), **self._stamp)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The small project, in a folder of its own."""
    (tmp_path / "pyproject.toml").write_text(
        '[tool.kedro]\npackage_name = "small"\nproject_name = "small"\n'
        'kedro_init_version = "1.7.0"\n'
    )
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


@pytest.fixture
def calls() -> Callable[[], list[str]]:
    """Return what ran since the last run began."""
    return lambda: list(CALLS)
