"""Render a set into its layout, tracklet by tracklet; a call continues one that was killed.

Each set lies under the fingerprint of its config, so that another config never mixes with it:
`<root>/<fingerprint>/prid_2011/multi_shot/cam_a/person_0001/0001.png`.
"""

from __future__ import annotations

import errno
import importlib.metadata
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from wherewhen.atomic import replacing
from wherewhen.synthetic import layouts
from wherewhen.synthetic.config import RENDERER
from wherewhen.synthetic.planning import SyntheticSet
from wherewhen.synthetic.truth import truth_file
from wherewhen.tracklets.fingerprint import file_sha256

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"

CHECKSUMS = "SHA256SUMS"
"""What `sha256sum --check` reads: the checksum of every file of a complete set."""


def write_set(synthetic_set: SyntheticSet, root: Path | str, progress: bool = True) -> Path:
    """Render the missing tracklets and write them in the layout of the set's config.

    Whole tracklets of an earlier call are kept; a half-written one is rendered anew, and so is one
    of which a file differs from its checksum, or that an earlier version wrote without its truth.
    The manifest is written last; with it the set is complete.

    Parameters
    ----------
    synthetic_set : SyntheticSet
        From `plan`.
    root : path
        Folder of synthetic sets; the set gets one of its own in there.
    progress : bool
        Show a bar with frames a second.

    Returns
    -------
    pathlib.Path
        What the reader of the layout's name is pointed at: `<root>/<fingerprint>`, a folder in it,
        or the archive.

    Raises
    ------
    OSError
        If the disk is full or can't be written: the half-written tracklet is removed, the whole
        ones stay.
    """
    from tqdm import tqdm

    home = home_of(synthetic_set, root)
    config = synthetic_set.config
    form = layouts.layout_named(config.layout)
    reads_from = layouts.root_of(form, home, config.archive)
    names = [camera.name for camera in config.camera_list]
    places = form.places(synthetic_set.shots, names)
    changed = _changed_files(home)
    if not changed and is_complete(synthetic_set, root):
        return reads_from
    _discard(home, changed, places)
    shutil.rmtree(home / layouts.UNFINISHED, ignore_errors=True)
    missing = [name for name, files in places.items() if not _is_whole(home, files)]
    _log_missing_truth(home, [places[name] for name in missing])
    lengths = synthetic_set.lengths
    total = sum(lengths.values())
    done = total - sum(lengths[name] for name in missing)

    def write(name: str) -> int:
        frames, truth = synthetic_set.film(name)
        try:
            layouts.write_tracklet(home, places[name], frames, form.boxed, truth)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise OSError(
                errno.ENOSPC,
                f"no space left on the disk while writing tracklet {name}: its half-written frames "
                "were removed, the tracklets written before are kept; free space and run again to "
                "go on, or ask for fewer persons or frames",
            ) from error
        return len(frames)

    bar = tqdm(total=total, initial=done, unit="frame", desc="synthesise", disable=not progress)
    with bar:
        # Frames are encoded by the thread that rendered them, else one thread would hold up all.
        for _, frames in synthetic_set.work(write, synthetic_set.person_by_person(missing)):
            bar.update(frames)
    layouts.finish(form, home, synthetic_set.shots, names, config.archive)
    _write_checksums(home)
    _write_manifest(synthetic_set, home / MANIFEST)
    return reads_from


def home_of(synthetic_set: SyntheticSet, root: Path | str) -> Path:
    """Return the folder of a set, `<root>/<fingerprint>`."""
    return Path(root) / synthetic_set.fingerprint


def is_complete(synthetic_set: SyntheticSet, root: Path | str) -> bool:
    """Whether manifest, checksums, archive if any, and each tracklet and its truth are there."""
    home, config = home_of(synthetic_set, root), synthetic_set.config
    form = layouts.layout_named(config.layout)
    needed = [home / MANIFEST, home / CHECKSUMS, layouts.root_of(form, home, config.archive)]
    places = form.places(synthetic_set.shots, [camera.name for camera in config.camera_list])
    return all(path.exists() for path in needed) and all(
        _is_whole(home, files) for files in places.values()
    )


def _is_whole(home: Path, files: Sequence[str]) -> bool:
    """Whether a tracklet is written: its last frame, which moves last, and its truth."""
    return (home / files[-1]).is_file() and truth_file(home, files[0]).is_file()


def _log_missing_truth(home: Path, missing: Sequence[Sequence[str]]) -> None:
    """Say that tracklets are rendered again for their truth alone, as those of older sets are."""
    seen = sum((home / files[-1]).is_file() for files in missing)
    if seen:
        log.info(
            "%s has no record of what the pixels of %d tracklets show: rendered again to make it, "
            "their pictures stay the same", home, seen,
        )  # fmt: skip


def _write_checksums(home: Path) -> None:
    own = (home / MANIFEST, home / CHECKSUMS)
    files = sorted(
        path
        for path in home.rglob("*")
        if path.is_file() and path not in own and not path.name.startswith(".")  # half-written
    )
    lines = (f"{file_sha256(path)}  {path.relative_to(home).as_posix()}\n" for path in files)
    with replacing(home / CHECKSUMS) as partial:
        partial.write_text("".join(lines), encoding="utf-8")


def _changed_files(home: Path) -> set[str]:
    """Return the files of a set that are missing or differ from their checksums."""
    checksums = home / CHECKSUMS
    if not checksums.is_file():
        return set()
    pairs = (line.split("  ", 1) for line in checksums.read_text(encoding="utf-8").splitlines())
    return {
        name
        for checksum, name in pairs
        if not (home / name).is_file() or file_sha256(home / name) != checksum
    }


def _discard(home: Path, changed: set[str], places: Mapping[str, Sequence[str]]) -> None:
    """Mark changed files of a set as missing, so that they are rendered again."""
    if not changed:
        return
    log.warning(
        "gone or changed in %s since it was rendered: %d of its files, %s for instance; "
        "rendered anew",
        home, len(changed), min(changed),
    )  # fmt: skip
    (home / MANIFEST).unlink(missing_ok=True)
    for files in places.values():
        truth = truth_file(home, files[0])
        if not changed.isdisjoint([*files, truth.relative_to(home).as_posix()]):
            (home / files[-1]).unlink(missing_ok=True)


def _write_manifest(synthetic_set: SyntheticSet, path: Path) -> None:
    config = synthetic_set.config.model_dump(mode="json", exclude={"workers"})
    config["cameras"] = [c.model_dump(mode="json") for c in synthetic_set.config.camera_list]
    content = {
        "fingerprint": synthetic_set.fingerprint,
        "renderer": RENDERER,
        "config": config,
        "lengths": synthetic_set.lengths,
        "versions": {
            package: importlib.metadata.version(package)
            for package in ("anny", "warp-lang", "numpy", "pillow")
        },
    }
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
