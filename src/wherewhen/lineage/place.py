"""Where the artifacts of a data set are kept: on the disk, or in a bucket of which it has a copy.

A small file says of a data set which bucket the folder ``data/`` is a copy of. What was made on the
disk alone is not mixed with what is kept in a bucket: the one would be taken for deleted there.
"""

from __future__ import annotations

import json
import secrets
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wherewhen.atomic import replacing
from wherewhen.files import DISK, BucketError, Files
from wherewhen.lineage.records import NAME
from wherewhen.project import project_root, to_root

if TYPE_CHECKING:
    from wherewhen.buckets import Bucket

SPARE = "04_feature/*/cubes/*/cubes/**/*.safetensors"
"""What a copy gives up when it is full: cubes."""


NOTES = ".buckets"
"""The folder, beside the stages, of the notes which bucket a data set is in."""


def kept_in(parameters: Any) -> Files:
    """Return where the artifacts of a data set are kept.

    Parameters
    ----------
    parameters : Any
        The typed tree: `data` says where.

    Raises
    ------
    BucketError
        If the folder ``data/`` holds what is kept elsewhere.
    """
    data, dataset, root = parameters.data, parameters.evaluate.dataset, project_root() / "data"
    note = note_of(dataset)
    known = None if note is None else note["url"]
    url = None if data.url is None else data.url.rstrip("/")
    if known is not None and known != url:
        raise BucketError(
            f"data/ has a copy of {dataset} from {known}, but `data` says {url or 'the disk'}: set "
            f"it back (conf/base/globals.yml, or --params data.url={known}), or remove the copy: "
            f"the folders data/*/{dataset}, and {to_root(_place(dataset))}"
        )
    if url is None:
        return DISK
    if note is None:
        _require_nothing(dataset, root, url)
        note = {"url": url, "copy": secrets.token_hex(8)}
        with replacing(_place(dataset)) as partial:
            partial.write_text(json.dumps(note) + "\n", encoding="utf-8")
    return bucket(url, root, int(data.copy_gib * 2**30), note["copy"])


def buckets(root: Path) -> dict[str, Bucket]:
    """Return the buckets of which the folder of all stages has copies, by the data set."""
    notes = {path.stem: _read(path) for path in sorted((root / NOTES).glob("*.json"))}
    return {name: bucket(note["url"], root, None, note["copy"]) for name, note in notes.items()}


def note_of(dataset: str) -> dict[str, str] | None:
    """Return the bucket's address and the copy's name of a data set; None if it is on the disk."""
    path = _place(dataset)
    return _read(path) if path.is_file() else None


@cache
def bucket(url: str, root: Path, limit: int | None, copy: str) -> Bucket:
    """Return a bucket, one for a process: it knows the locks that are held."""
    from wherewhen.buckets import Bucket

    return Bucket(url, root, limit, SPARE, copy)


def _place(dataset: str) -> Path:
    return project_root() / "data" / NOTES / f"{dataset}.json"


def _read(path: Path) -> dict[str, str]:
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        return {"url": note["url"], "copy": note["copy"]}
    except (ValueError, KeyError, TypeError) as error:
        raise BucketError(
            f"{path} is damaged ({error!r}): it says of which bucket data/ has a copy. Delete it, "
            f"and the folders data/0[2-9]*/{path.stem}, which are brought from the bucket again"
        ) from error


def _require_nothing(dataset: str, root: Path, url: str) -> None:
    made = next(
        (path for each in root.glob(f"0*/{dataset}") for path in each.rglob(f"*{NAME}")), None
    )
    if made is not None:
        raise BucketError(
            f"data/ has artifacts of {dataset} that are not in {url}, {to_root(made.parent)} for "
            f"instance: move the folders data/0[2-9]*/{dataset} away, and what is missing is made "
            "anew in the bucket"
        )
