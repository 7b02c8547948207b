"""What commands have made in a project, to compare two: artifacts, stores, sweeps, leavings."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

from projects import Project

PARTIAL = (".tmp", ".unfinished", ".partial", ".aside")
"""Parts of the names of files that are being written, and of what makes way for them."""

STORES = ("04_feature/*/*/*/manifest.json", "01_raw/*/*/SHA256SUMS")
"""Lists of the checksums of all that lies in a store of cubes or of rendered people."""


def made(project: Project) -> dict[str, str]:
    """Return the content of every artifact by its name and identity, and of every store."""
    data = project.root / "data"
    records = [json.loads(path.read_bytes()) for path in data.rglob("*record.json")]
    found = {f"{each['artifact']} {each['identity']}": each["counts"] for each in records}
    for pattern in STORES:
        for path in data.glob(pattern):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            found[path.relative_to(data).as_posix()] = content
    return found


def differences(project: Project, undisturbed: Project) -> list[str]:
    """Name what differs between two projects in which the same commands were run."""
    here, there = made(project), made(undisturbed)
    return sorted(name for name in {*here, *there} if here.get(name) != there.get(name))


def half_written(project: Project) -> list[str]:
    """Name files that are not whole, or without a record: no run that has ended leaves any."""
    data = project.root / "data"
    files = list(data.rglob("*"))
    partial = [path for path in files if any(part in path.name for part in PARTIAL)]
    kept = [path for path in files if path.is_dir() and path.parent.suffix]  # of an identity
    found = [*partial, *(path for path in kept if not (path / "record.json").exists())]
    return sorted(path.relative_to(data).as_posix() for path in found)


def leavings(project: Project) -> list[str]:
    """Name what a finished run should not leave: half-written files, and checkpoints."""
    data = project.root / "data"
    checkpoints = data.glob("06_models/*/*/checkpoints/*")
    return half_written(project) + sorted(path.relative_to(data).as_posix() for path in checkpoints)


def statuses(project: Project, dataset: str = "synthetic") -> Counter[str]:
    """Count the states of a data set's runs in MLflow."""
    return Counter(run.info.status for run in project.runs(dataset))


def evaluations(project: Project) -> tuple[list[tuple[dict, float]], list[str]]:
    """Return a sweep's parameters and values of finished evaluations, and the states of all."""
    import optuna

    database = project.root / "data/08_reporting/synthetic/sweeps.db"
    if not Path(database).exists():
        return [], []
    storage = f"sqlite:///{database}"
    (name,) = optuna.get_all_study_names(storage)
    trials = optuna.load_study(study_name=name, storage=storage).trials
    complete = [(each.params, each.value) for each in trials if each.state.name == "COMPLETE"]
    return complete, [each.state.name for each in trials]
