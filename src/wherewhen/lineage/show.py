"""What an artifact was made of, for people: from a number down to the frames it came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from wherewhen.lineage.ledger import NotMade, record_paths
from wherewhen.lineage.records import NAME, Record, record_path
from wherewhen.project import from_root, to_root


def show_all(view: Any) -> None:
    """List what the parameters ask for: there, with its place, or why not."""
    ledger = view.ledger
    for node in ledger.nodes:
        for name in filter(ledger.is_kept, node.outputs):
            try:
                record = ledger.record(name)
                click.echo(f"{name}  {to_root(ledger.file(name))}  {_made(record)}")
            except NotMade as error:
                click.echo(f"{name}  ({error.reason})")


def show_record(view: Any, artifact: str) -> None:
    """Print the record of an artifact."""
    click.echo(_find(view, artifact).model_dump_json(indent=1))


def show_tree(view: Any, artifact: str) -> None:
    """Print what an artifact was made of, and what its inputs were, down to the footage."""
    root = _find(view, artifact)
    click.echo("\n".join(_lines(view.ledger, root, "", set())))


def _find(view: Any, artifact: str) -> Record:
    """Find the record of an artifact by its name, or by the path of its file."""
    if view.ledger.maker(artifact) is not None:
        try:
            return view.ledger.record(artifact)
        except NotMade as error:
            raise LookupError(
                f"nothing is there for these parameters ({error}). Give --env and --params "
                f"of the run that made {artifact}, or the path of its file"
            ) from error
    path = from_root(artifact)
    for beside in (path / NAME, *(record_path(path, versioned) for versioned in (True, False))):
        record = Record.read(beside)
        if record is not None:
            return record
    made = (name for node in view.ledger.nodes for name in node.outputs)
    known = sorted(filter(view.ledger.is_kept, made))
    raise LookupError(
        f"{artifact} is neither an artifact's name nor its file: expected one of "
        f"{', '.join(known)}, or a path under data/ with a record beside it"
    )


def _lines(ledger: Any, record: Record, indent: str, seen: set[str]) -> Iterator[str]:
    """Describe an artifact and what it was made of; what was described before is only named."""
    key = f"{record.artifact} {record.identity}"
    yield f"{indent}{record.artifact}  identity {record.identity}  {_made(record)}"
    if key in seen:
        yield f"{indent}    (see above)"
        return
    seen.add(key)
    yield f"{indent}    sha256 {record.content}, {record.size:,} bytes"
    yield f"{indent}    by {record.function}, code {record.code}, commit {record.commit}"
    for name, value in record.parameters.items():
        yield f"{indent}    {name}: {_short(value)}"
    for name, content in record.inputs.items():
        inner = _of_input(ledger, name, content)
        if inner is None:
            yield f"{indent}  {name}  {content} (from outside, or no longer kept)"
        else:
            yield from _lines(ledger, inner, f"{indent}  ", seen)


def _of_input(ledger: Any, name: str, content: str) -> Record | None:
    """Find the record of an input as it was read then."""
    if ledger.maker(name) is None or not ledger.is_kept(name):
        return _passed_on(ledger, name)
    found = map(Record.read, record_paths(ledger.dataset(name)))
    return next((record for record in found if record and record.counts == content), None)


def _passed_on(ledger: Any, name: str) -> Record | None:
    """Find a record that tells what was only kept in memory: that of what was made beside it."""
    maker = ledger.maker(name)
    for beside in (each for each in (maker.outputs if maker else []) if ledger.is_kept(each)):
        try:
            return ledger.record(beside)
        except NotMade:
            return None
    return None


def _made(record: Record) -> str:
    run = f", MLflow run {record.run_id}" if record.run_id else ""
    return f"made {record.finished[:16].replace('T', ' ')}{run}"


def _short(value: Any, longest: int = 160) -> str:
    text = str(value)
    return text if len(text) <= longest else f"{text[:longest]}..."
