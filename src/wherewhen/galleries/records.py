"""The record of an answer: how it was asked, by which model, of which gallery, by which code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wherewhen.atomic import replacing
from wherewhen.describe import commit, versions
from wherewhen.project import project_root, to_root
from wherewhen.recogniser.gallery import about
from wherewhen.recogniser.recogniser import UNLIKE
from wherewhen.tracklets.fingerprint import file_sha256

if TYPE_CHECKING:
    from wherewhen.recogniser import Recogniser
    from wherewhen.recogniser.gallery import Gallery
    from wherewhen.sessions import View


def record_of(
    view: View, gallery: Gallery, recogniser: Recogniser, asked: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what an answer follows from, as plain values.

    Parameters
    ----------
    view : View
        The environment.
    gallery : Gallery
        What was searched.
    recogniser : Recogniser
        The model, and the distance.
    asked : mapping
        The question: probe, ranks, threshold, filters.

    Returns
    -------
    dict
        ``asked``; ``model``: its folder, the hashes of its files, the distance, and what it learned
        from;
        ``gallery``, its ``state`` (the hash of all that it holds) and how each footage in it was
        embedded; whether that is ``unlike_training``; ``commit``, ``versions`` and ``made``.
    """
    revision, dirty = commit(project_root())
    learned_from = recogniser.card.data
    return {
        "asked": dict(asked),
        "model": {
            "folder": to_root(view.parameters.search.model),
            **about(recogniser.identity),
            "learned_from": learned_from.name,
            "data_fingerprint": learned_from.fingerprint,
        },
        "gallery": {
            "environment": view.env,
            "dataset": view.dataset,
            "state": gallery.index.state,
            "kind": gallery.index.kind,
            "tracklets": len(gallery),
            "footage": gallery.footage,
        },
        "unlike_training": gallery.difference > UNLIKE,
        "commit": f"{revision}+" if dirty else revision,
        "versions": versions(),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write_beside(table: Path, record: Mapping[str, Any]) -> Path:
    """Write the record of a table beside it, with the table's hash; return the file."""
    path = table.with_suffix(".json")
    whole = {"table": {"name": table.name, "sha256": file_sha256(table)}, **record}
    with replacing(path) as partial:
        text = json.dumps(whole, indent=1, ensure_ascii=False)
        partial.write_text(text + "\n", encoding="utf-8")
    return path


def read_beside(table: Path) -> dict[str, Any] | None:
    """Return the record of a table; None if there is none, or the table is not as it says."""
    try:
        record = json.loads(table.with_suffix(".json").read_text(encoding="utf-8"))
        return record if record["table"]["sha256"] == file_sha256(table) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def in_words(record: Mapping[str, Any]) -> str:
    """Say in a sentence what an answer follows from."""
    model, gallery = record["model"], record["gallery"]
    return (
        f"By {model['metric']} of the model {model['model']}, which learned from "
        f"{model['learned_from']}; gallery {gallery['dataset']} in the state "
        f"{gallery['state'][:16]}; {record['made']}, commit {record['commit']}."
    )
