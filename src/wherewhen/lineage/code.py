"""The version of a function: a hash of the source of all modules that it may run.

By content and not by a number that somebody has to raise: a forgotten number would take over what
other code has made, in silence. Comments, docstrings and layout don't count. Modules are followed
by their import statements, inside functions too, and by texts that name one, as
``"wherewhen.baselines.rcn:RCN"`` does. A module that calls `import_module` may import any module
beside it. Versions of other packages stand in the record and decide nothing.

Two kinds of artifacts take hours to make and have a number besides, in the names of their stores:
rendered frames (`wherewhen.synthetic.config.RENDERER`) and feature cubes
(`wherewhen.features.extraction.VERSION`). When their code changes, their stage runs again and takes
from the store what bears the same number.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

PACKAGE = "wherewhen"
SOURCE = Path(__file__).resolve().parents[1]
"""The folder of the package."""

DECIDES_NOTHING = {
    "wherewhen",
    "wherewhen.buckets",
    "wherewhen.datasets",
    "wherewhen.errors",
    "wherewhen.execution",
    "wherewhen.execution.config",
    "wherewhen.execution.engine",
    "wherewhen.execution.pool",
    "wherewhen.execution.ray_engine",
    "wherewhen.execution.versions",
    "wherewhen.files",
    "wherewhen.leases",
    "wherewhen.locks",
    "wherewhen.pipelines",
    "wherewhen.pipelines.groups",
    "wherewhen.pipelines.parameters",
    "wherewhen.pipelines.stages",
    "wherewhen.pipelines.types",
    "wherewhen.pretrained",
    "wherewhen.project",
    "wherewhen.pretrained.registered",
    "wherewhen.tracking",
}
"""Modules that only pass on or refuse: values of parameters and content of files count themselves.

The modules `parameters` of the stages belong to them, too.
"""

_read: dict[str, tuple[int, int]] = {}
"""Time and size of each module's file when it was read here."""

_NAMED = re.compile(rf"{PACKAGE}(\.\w+)+(:\w+)?")


class EditedError(RuntimeError):
    """Code was edited between the computation of its version and its import."""


def code_version(function: Callable[..., Any]) -> str:
    """Name the code behind a function.

    Parameters
    ----------
    function : callable
        Of this package, or of a module that is imported; a `functools.partial` stands for its
        function.

    Returns
    -------
    str
        16 hexadecimal digits; equal as long as no statement changes in any module behind it.
    """
    return _version(_module_of(function))


def load_code(function: Callable[..., Any]) -> None:
    """Import all modules behind a function, so that what runs is what its version was computed of.

    Modules are imported inside functions, too, which may be hours later.

    Raises
    ------
    EditedError
        If one was edited since its version was computed.
    """
    for name in modules_behind(_module_of(function)):
        importlib.import_module(name)
        if _state(name) != _read[name] and _hash(_parse(name)) != _statements(name):
            raise EditedError(f"{source_file(name)} was edited since this run began: run again")


def modules_behind(module: str) -> list[str]:
    """Name the modules of this package that a module may run, itself included, sorted.

    Those that only pass on are left out.
    """
    return _reached(module, lambda name: filter(_decides, _imported(name)))


def modules_to_run(module: str) -> list[str]:
    """Name all modules of this package without which a module can't run, itself included."""
    return _reached(module, lambda name: [*_imported(name), name.rpartition(".")[0]])


def _reached(module: str, following: Callable[[str], Iterable[str]]) -> list[str]:
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found and source_file(name) is not None:
            found.add(name)
            waiting += following(name)
    return sorted(found)


def _decides(module: str) -> bool:
    """Whether the statements of a module are a part of versions: not those that only pass on."""
    of_stage = module.startswith("wherewhen.pipelines.") and module.endswith(".parameters")
    return module not in DECIDES_NOTHING and not of_stage


def source_file(module: str) -> Path | None:
    """Return the file of a module: of this package, or one that is imported; None without one."""
    if not _is_ours(module):
        file = getattr(sys.modules.get(module), "__file__", None)
        return Path(file) if file else None
    base = SOURCE.joinpath(*module.split(".")[1:])
    files = (base / "__init__.py", base.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)


@cache
def _version(module: str) -> str:
    digest = hashlib.sha256()
    for name in modules_behind(module):
        digest.update(f"{name} {_statements(name)}\n".encode())
    return digest.hexdigest()[:16]


def _module_of(function: Callable[..., Any]) -> str:
    while isinstance(function, partial):
        function = function.func
    return function.__module__


def _state(module: str) -> tuple[int, int]:
    state = source_file(module).stat()
    return state.st_mtime_ns, state.st_size


@cache
def _tree(module: str) -> ast.Module:
    _read[module] = _state(module)
    return _parse(module)


def _parse(module: str) -> ast.Module:
    file = source_file(module)
    return _without_docstrings(ast.parse(file.read_bytes(), filename=str(file)))


@cache
def _statements(module: str) -> str:
    return _hash(_tree(module))


def _hash(tree: ast.Module) -> str:
    return hashlib.sha256(_dump(tree).encode()).hexdigest()


def _dump(value: Any) -> str:
    """Write a syntax tree without its empty fields.

    `ast.dump` differs between versions of Python: 3.12 has new fields, 3.13 omits empty ones.
    """
    if isinstance(value, list):
        return f"[{', '.join(map(_dump, value))}]"
    if not isinstance(value, ast.AST):
        return repr(value)
    fields = (
        f"{name}={_dump(each)}" for name, each in ast.iter_fields(value) if each not in (None, [])
    )
    return f"{type(value).__name__}({', '.join(fields)})"


@cache
def _imported(module: str) -> set[str]:
    """Name the modules of this package that a module may import."""
    nodes = list(ast.walk(_tree(module)))
    names = {name for node in nodes for name in _mentions(node)}
    if any(isinstance(node, ast.Name) and node.id == "import_module" for node in nodes):
        names |= _beside(module)
    return names


def _beside(module: str) -> set[str]:
    file = source_file(module)
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    return {f"{package}.{each.name}" for each in pkgutil.iter_modules([str(file.parent)])}


def _mentions(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if _is_ours(alias.name))
    elif isinstance(node, ast.ImportFrom) and _is_ours(node.module or ""):
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Constant) and _NAMED.fullmatch(str(node.value)):
        yield str(node.value).partition(":")[0]


def _is_ours(module: str) -> bool:
    return module.split(".")[0] == PACKAGE


def _without_docstrings(tree: ast.Module) -> ast.Module:
    """Take out statements that are nothing but text: docstrings of modules, classes, fields."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [each for each in node.body if not _is_text(each)] or [ast.Pass()]
    return tree


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
