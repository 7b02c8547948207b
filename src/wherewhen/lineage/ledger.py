"""The ledger: for a set of parameters, what every artifact is to be made of, and what is there.

It reads and writes records; it runs nothing.
"""

from __future__ import annotations

import inspect
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path, PurePath
from typing import Any

from kedro.io import AbstractDataset
from kedro.pipeline import Node, Pipeline

from wherewhen.files import DISK, Files
from wherewhen.lineage.catalog import PARAMETER, UNKNOWN, bind, file_of, is_versioned
from wherewhen.lineage.code import code_version
from wherewhen.lineage.content import ABSENT, content_of, content_of_artifact
from wherewhen.lineage.records import NAME, Record, differences, record_path
from wherewhen.project import from_root, to_root
from wherewhen.tracklets.fingerprint import OPERATIONAL, decisive, fingerprint
from wherewhen.tracklets.folders import listed

log = logging.getLogger(__name__)


STORES = "cubes"
"""The folder of stores, whose files have no records."""


class NotMade(LookupError):
    """An artifact that these parameters ask for is not there, or is out of date.

    Parameters
    ----------
    artifact : str
        Its name in the catalog.
    reason : str
        Why it can't be used.
    """

    def __init__(self, artifact: str, reason: str) -> None:
        super().__init__(f"{artifact}: {reason}")
        self.artifact, self.reason = artifact, reason


class StaleInputError(LookupError):
    """A run asks for inputs that are not there, or are out of date."""


class Ledger:
    """Identities and records of all artifacts that a set of parameters asks for.

    Parameters
    ----------
    stages : mapping of str to Pipeline
        All pipelines by name: they say what is made of what.
    parameters : Any
        The typed tree of parameters.
    catalog : wherewhen.lineage.catalog.Catalog
        Where artifacts lie.
    contents : dict of Path to str, optional
        What was found at the paths that parameters name, for several ledgers to look at a large
        folder once.
    files : wherewhen.files.Files
        Where artifacts are kept.
    """

    def __init__(
        self,
        stages: Mapping[str, Pipeline],
        parameters: Any,
        catalog: Any,
        contents: dict[Path, str] | None = None,
        files: Files = DISK,
    ) -> None:
        self.files = files
        self.stages, self.parameters, self._catalog = stages, parameters, catalog
        self._contents = {} if contents is None else contents
        whole = sum(stages.values(), start=Pipeline([]))
        self.nodes = whole.nodes
        self._makers = {name: node for node in self.nodes for name in node.outputs}
        self._identities: dict[str, str] = {}
        self._records: dict[str, Record | NotMade] = {}

    # --- what is to be made ----------------------------------------------------------------------

    def identity(self, node: Node) -> str:
        """Return the identity of what a node makes.

        Raises
        ------
        NotMade
            If an input is not there: what would be made of it is not known before.
        """
        if node.name not in self._identities:
            self._identities[node.name] = fingerprint(self.making(node))
        return self._identities[node.name]

    def making(self, node: Node) -> dict[str, Any]:
        """Return what decides the content of a node's outputs, as plain values.

        Raises
        ------
        NotMade
            As `identity`.
        """
        inputs = [name for name in node.inputs if not name.startswith(PARAMETER)]
        return {
            "function": function_name(node.func),
            "code": code_version(node.func),
            "parameters": {
                name.removeprefix(PARAMETER): self._decisive(name)
                for name in node.inputs
                if name.startswith(PARAMETER) and not self._is_operational(name)
            },
            "inputs": {name: self.counts(name) for name in inputs if not self.is_workspace(name)},
        }

    def counts(self, name: str) -> str:
        """Return what stands for an input's content in the identity of what is made of it.

        Raises
        ------
        NotMade
            If the input is not there.
        """
        if name not in self._makers:
            file = file_of(self.dataset(name))
            return ABSENT if file is None else content_of(file)
        if not self.is_kept(name):  # in memory: it stays as long as the process
            return self.identity(self._makers[name])
        return self.record(name).counts

    def version(self, name: str) -> str:
        """Return the version of a data set in the catalog: its identity, or `UNKNOWN`."""
        try:
            if self.is_workspace(name):
                (user,) = [node for node in self.nodes if name in node.inputs]
                return self.identity(user)
            return self.identity(self._makers[name])
        except (KeyError, NotMade):
            return UNKNOWN

    # --- what is there ---------------------------------------------------------------------------

    def record(self, name: str) -> Record:
        """Return the record of an artifact that is what these parameters ask for.

        Raises
        ------
        NotMade
            If it is not there, is out of date, or was changed after it was made.
        """
        if name not in self._records:
            try:
                self._records[name] = self._find(name)
            except NotMade as missing:
                self._records[name] = missing
        found = self._records[name]
        if isinstance(found, NotMade):
            raise found
        return found

    def is_there(self, name: str) -> bool:
        """Whether an artifact is there as these parameters ask for it."""
        try:
            self.record(name)
        except NotMade:
            return False
        return True

    def file(self, name: str) -> Path:
        """Return the file of an artifact, there or not.

        Raises
        ------
        NotMade
            As `identity`.
        """
        return file_of(self.dataset(name), self.identity(self._makers[name]))

    def plan(self, nodes: Sequence[Node]) -> dict[str, str | None]:
        """Say of nodes why they have to run.

        Parameters
        ----------
        nodes : sequence of Node
            In the order in which they run.

        Returns
        -------
        dict of str to str or None
            By the node's name; None if what it makes is there. A node that follows from another
            one is judged again when that has run: if what it reads did not change, it needn't run.
        """
        reasons: dict[str, str | None] = {}
        for node in nodes:
            before = [self._makers[name].name for name in node.inputs if name in self._makers]
            first = next((name for name in before if reasons.get(name)), None)
            reasons[node.name] = f"follows from {first}" if first else self._reason(node)
        for node in reversed(nodes):  # what is kept in memory is there only if its maker runs
            passing = {name for name in node.outputs if not self.is_kept(name)}
            users = [each for each in nodes if passing & set(each.inputs) and reasons[each.name]]
            if users and reasons[node.name] is None:
                reasons[node.name] = f"{users[0].name} needs what it passes on"
        return reasons

    def require(self, pipeline: Pipeline) -> None:
        """Refuse a part of the pipelines whose inputs are not there.

        Raises
        ------
        StaleInputError
            Naming what is missing or out of date, why, and the stages that make it.
        """
        missing: dict[str, NotMade] = {}
        for name in sorted(pipeline.inputs()):
            if name.startswith(PARAMETER) or self.is_workspace(name):
                continue
            try:
                self.counts(name)
                if name in self._makers and not self.is_kept(name):
                    maker = self._makers[name].name
                    raise NotMade(name, f"is kept in memory alone; {maker} has to run, too")
            except NotMade as error:
                missing[name] = error
        if missing:
            causes = {error.artifact: f"- {error}" for error in missing.values()}
            stages = self._stages_of(causes, missing)
            raise StaleInputError(
                f"{listed(list(missing), shown=3)} can't be used with these parameters:\n"
                + "\n".join(causes.values())
                + f"\nMake what is missing: kedro run --pipelines {','.join(stages)} with the same "
                "parameters, or kedro run, which makes all of it"
            )

    def previous(self, name: str) -> Record | None:
        """Return the record of an artifact that was made last, whatever it was made of."""
        dataset = self.dataset(name)
        found = (Record.read(path) for path in record_paths(dataset))
        return max(filter(None, found), key=lambda record: record.finished, default=None)

    def maker(self, name: str) -> Node | None:
        """Return the node that makes an artifact."""
        return self._makers.get(name)

    def ancestors(self, names: Iterable[str]) -> list[Node]:
        """Return all nodes that artifacts follow from, in the order in which they run."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            node = self._makers.get(waiting.pop())
            if node is not None and node.name not in found:
                found.add(node.name)
                waiting += node.inputs
        return [node for node in self.nodes if node.name in found]

    def is_kept(self, name: str) -> bool:
        """Whether a data set lies in a file, not in memory."""
        return file_of(self.dataset(name)) is not None

    def is_workspace(self, name: str) -> bool:
        """Whether a data set is a node's own folder, which decides nothing."""
        return getattr(self.dataset(name), "IS_WORKSPACE", False)

    # --- what is being made ----------------------------------------------------------------------

    def prepare(self, name: str) -> None:
        """Take away what lies where an artifact is about to be written: its record first."""
        file = self.file(name)
        versioned = is_versioned(self.dataset(name))
        _make_way(self.dataset(name))
        files = self._files_of(name)
        files.delete(record_path(file, versioned))
        if versioned:
            files.delete(file.parent)
        self._forget(name)

    def made(
        self,
        name: str,
        *,
        started: datetime,
        commit: str,
        versions: Mapping[str, str],
        run_id: str | None = None,
        model_id: str | None = None,
    ) -> None:
        """Write the record of an artifact that was just saved."""
        node, dataset, file = self._makers[name], self._bound(name), self.file(name)
        content, files = content_of_artifact(file), self._files_of(name)
        for each in _parts(file, dataset):
            files.push(each)
        record = Record(
            artifact=name,
            identity=self.identity(node),
            node=node.name,
            **self.making(node),
            content=content,
            counts=dataset.counts() if hasattr(dataset, "counts") else content,
            size=file.stat().st_size,
            commit=commit,
            versions=dict(versions),
            run_id=run_id,
            model_id=model_id,
            started=started.isoformat(timespec="milliseconds"),
            finished=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        record.write(record_path(file, is_versioned(dataset)), files)
        self._forget(name)

    def done_with(self, node: Node) -> None:
        """Remove a node's own folders, which served to go on after a fault, when it is done."""
        for name in node.inputs:
            if self.is_workspace(name):
                self.files.delete(file_of(self.dataset(name), self.identity(node)))

    def discard_unfinished(self, node: Node) -> None:
        """Remove the files of a node that failed which have no record: they may be half-written."""
        for name in filter(self.is_kept, node.outputs):
            with suppress(NotMade, OSError):  # the node's error is the one to be seen
                file, versioned = self.file(name), is_versioned(self.dataset(name))
                if record_path(file, versioned).exists():
                    continue
                if versioned:
                    shutil.rmtree(file.parent, ignore_errors=True)
                else:
                    file.unlink(missing_ok=True)

    def remove(self, nodes: Sequence[Node]) -> None:
        """Remove what nodes have made for these parameters, so that it is made anew."""
        for node in reversed(nodes):  # the identity of what follows is known as long as it is there
            try:
                self.identity(node)
            except NotMade:
                continue
            self.done_with(node)
            for name in filter(self.is_kept, node.outputs):
                if hasattr(self.dataset(name), "remove") and self.is_there(name):
                    self._bound(name).remove()
                self.prepare(name)

    def follow(self, root: Path) -> None:
        """Remove what this machine has copies of and what is not kept any more.

        Parameters
        ----------
        root : Path
            The folder of all stages.
        """
        name = self.parameters.evaluate.dataset
        stages = [] if self.files.url is None else sorted(root.glob(f"0[2-9]*/{name}"))
        for path in chain.from_iterable(map(self.files.gone, stages)):
            if path.name.endswith(NAME):
                self._drop(path)
            elif STORES in path.relative_to(root).parts:
                path.unlink(missing_ok=True)

    def _drop(self, path: Path) -> None:
        """Remove a record and the copy of what it is of."""
        record = Record.read(path)
        if record is None or self._files_of(record.artifact).url is None:
            return
        if path.name == NAME:
            shutil.rmtree(path.parent, ignore_errors=True)
            return
        path.unlink(missing_ok=True)
        file = path.with_name(path.name.removesuffix(f".{NAME}"))
        for each in _parts(file, self.dataset(record.artifact)):
            each.unlink(missing_ok=True)

    def refresh(self) -> None:
        """Forget what was read of records and contents: another process may have written some."""
        self._contents.clear()
        self._identities.clear()
        self._records.clear()

    # --- helpers ---------------------------------------------------------------------------------

    def _decisive(self, name: str) -> Any:
        value = parameter(self.parameters, name)
        return decisive(value, content=self._content)

    def _is_operational(self, name: str) -> bool:
        """Whether a parameter decides nothing: a marked one that holds for all stages.

        What a stage's group holds counts wherever a node reads it by its own name.
        """
        field = type(self.parameters).model_fields.get(name.removeprefix(PARAMETER))
        return field is not None and OPERATIONAL in field.metadata

    def _content(self, path: PurePath) -> str:
        """Return what lies at a path that a parameter names, once until `refresh`."""
        place = from_root(path)
        if place not in self._contents:
            self._contents[place] = content_of(place)
        return self._contents[place]

    def _reason(self, node: Node) -> str | None:
        """Say why a node has to run; None if all that it keeps is there."""
        try:
            for name in filter(self.is_kept, node.outputs):
                self.record(name)
        except NotMade as error:
            return error.reason if error.artifact in node.outputs else str(error)
        return None

    def _find(self, name: str) -> Record:
        node, dataset = self._makers[name], self.dataset(name)
        identity = self.identity(node)
        file = file_of(dataset, identity)
        record = self._read_record(name, file)
        if record is None or record.identity != identity:
            raise NotMade(name, self._why(name, node))
        if not record.fits(file) and not self._is_brought(name, record):
            fault = "was changed after it was made" if file.exists() else "is gone"
            raise NotMade(name, f"{to_root(file)} {fault}")
        fault = self._bound(name).fault() if hasattr(dataset, "fault") else None
        if fault is not None:
            raise NotMade(name, fault)
        return record

    def _read_record(self, name: str, file: Path) -> Record | None:
        path = record_path(file, is_versioned(self.dataset(name)))
        self._files_of(name).update(path)
        return Record.read(path)

    def _is_brought(self, name: str, record: Record) -> bool:
        """Bring an artifact from where it is kept; return whether it is the recorded one then."""
        files = self._files_of(name)
        if files.url is None:
            return False
        if is_versioned(self.dataset(name)):
            files.update_folder(self.file(name).parent)
        else:
            for path in _parts(self.file(name), self.dataset(name)):
                files.update(path)
        return record.fits(self.file(name))

    def _files_of(self, name: str) -> Files:
        """Return where an artifact is kept: on the disk what names a place on this machine."""
        return DISK if getattr(self.dataset(name), "OF_THIS_MACHINE", False) else self.files

    def _why(self, name: str, node: Node) -> str:
        before = self.previous(name)
        if before is None:
            return "not made yet"
        return "; ".join(differences(before, self.making(node))) or "not finished"

    def _stages_of(self, causes: Iterable[str], missing: Iterable[str]) -> list[str]:
        """Name the stages that make artifacts and all that lies between them and others."""
        made_by = {node.name for node in self.ancestors(missing)}
        first = {self._makers[name].name for name in causes if name in self._makers}
        between = set()
        for node in self.nodes:
            if node.name in made_by:
                makers = {self._makers[name].name for name in node.inputs if name in self._makers}
                if node.name in first or makers & between:
                    between.add(node.name)
        names = {name: {node.name for node in stage.nodes} for name, stage in self.stages.items()}
        return [name for name, own in names.items() if name != "__default__" and own & between]

    def _forget(self, name: str) -> None:
        """Forget what was known of an artifact and of all that follows from it."""
        stale = {name}
        for node in self.nodes:  # in the order in which they run
            if stale & set(node.inputs):
                self._identities.pop(node.name, None)
                stale |= set(node.outputs)
        for each in stale:
            self._records.pop(each, None)

    def dataset(self, name: str) -> AbstractDataset:
        """Return a data set as the catalog configures it."""
        return self._catalog.unbound(name)

    def _bound(self, name: str) -> AbstractDataset:
        """Return a data set that loads and saves what these parameters ask for."""
        dataset = self.dataset(name)
        bind(dataset, self.version(name), self.files)
        return dataset


def _parts(file: Path, dataset: AbstractDataset) -> list[Path]:
    """Return the files, or the folder, of an artifact; its record left out."""
    return [file, *(file.with_suffix(each) for each in getattr(dataset, "ALSO", ()))]


def function_name(function: Callable[..., Any]) -> str:
    """Name a function, with the arguments that are bound to it."""
    if isinstance(function, partial):
        bound = ", ".join(f"{name}={value!r}" for name, value in function.keywords.items())
        return f"{function_name(function.func)}({bound})"
    return f"{inspect.getmodule(function).__name__}.{function.__qualname__}"


def parameter(parameters: Any, name: str) -> Any:
    """Return a parameter by its name in the catalog, ``params:embed.frames``."""
    value = parameters
    for part in name.removeprefix(PARAMETER).split("."):
        value = value[part] if isinstance(value, Mapping) else getattr(value, part)
    return value


def record_paths(dataset: AbstractDataset) -> Iterator[Path]:
    """Find the records of all artifacts that a data set has kept."""
    path = file_of(dataset)
    if is_versioned(dataset):
        yield from sorted(path.glob(f"*/{NAME}"))
    else:
        yield record_path(path, versioned=False)


def _make_way(dataset: AbstractDataset) -> None:
    """Move away what an earlier version of this project kept in another form under a name."""
    path = file_of(dataset)
    if path.exists() and path.is_dir() != is_versioned(dataset):
        aside = path.with_name(f"{path.name}.old")
        log.warning("%s is of an earlier version: moved to %s", to_root(path), aside.name)
        path.rename(aside)
