"""Synthetic room: write a set in the layout of PRID 2011, whole tracklets only, to be gone on with.

Each set lies under the fingerprint of its config, so that another config never mixes with it:
`<root>/<fingerprint>/prid_2011/multi_shot/cam_a/person_0001/0001.png`.
"""

from __future__ import annotations

import errno
import importlib.metadata
import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from wherewhen.synthetic.config import RENDERER
from wherewhen.synthetic.planning import SyntheticSet

UNFINISHED = ".unfinished"
"""Ending of the folder of a tracklet that is being written."""

MANIFEST = "manifest.json"


def write_prid2011(synthetic_set: SyntheticSet, root: Path | str, progress: bool = True) -> Path:
    """Render what is missing and write it as PRID 2011's multi-shot folders.

    A killed call is gone on with by calling again: tracklets that lie there whole are kept, a
    half-written one is rendered anew. The manifest is written last; with it the set is complete.

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
        `<root>/<fingerprint>/prid_2011`, the folder that the reader `prid2011` reads.

    Raises
    ------
    OSError
        If the disk is full or can't be written: the half-written tracklet is removed, the whole
        ones stay.
    """
    from tqdm import tqdm

    home = Path(root) / synthetic_set.fingerprint
    folder = home / "prid_2011"
    if is_complete(synthetic_set, root):
        return folder
    shots = folder / "multi_shot"
    _remove_unfinished(shots)
    missing = [name for name in synthetic_set.tracklets if not (shots / name).is_dir()]
    lengths = synthetic_set.lengths
    total = sum(lengths.values())
    done = total - sum(lengths[name] for name in missing)

    def write(name: str) -> int:
        frames = synthetic_set.render(name)
        _write_tracklet(shots / name, frames)
        return len(frames)

    bar = tqdm(total=total, initial=done, unit="frame", desc="synthesise", disable=not progress)
    with bar:
        # Frames are encoded by the thread that rendered them, else one thread would hold up all.
        for _, frames in synthetic_set.work(write, synthetic_set.person_by_person(missing)):
            bar.update(frames)
    _write_manifest(synthetic_set, home / MANIFEST)
    return folder


def is_complete(synthetic_set: SyntheticSet, root: Path | str) -> bool:
    """Say whether a set was written to its end.

    Parameters
    ----------
    synthetic_set : SyntheticSet
        From `plan`.
    root : path
        As for `write_prid2011`.

    Returns
    -------
    bool
        Whether its manifest is there, and all of its tracklets' folders.
    """
    home = Path(root) / synthetic_set.fingerprint
    shots = home / "prid_2011" / "multi_shot"
    return (home / MANIFEST).is_file() and all(
        (shots / name).is_dir() for name in synthetic_set.tracklets
    )


def _remove_unfinished(shots: Path) -> None:
    for folder in shots.glob(f"*/*{UNFINISHED}"):
        shutil.rmtree(folder)


def _write_tracklet(folder: Path, frames: np.ndarray) -> None:
    """Write the frames beside their place and move them there at once."""
    unfinished = folder.with_name(folder.name + UNFINISHED)
    try:
        unfinished.mkdir(parents=True)
        for number, frame in enumerate(frames, start=1):
            Image.fromarray(frame).save(unfinished / f"{number:04d}.png", compress_level=3)
        unfinished.rename(folder)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        if error.errno == errno.ENOSPC:
            raise OSError(
                errno.ENOSPC,
                f"no space left on the disk while writing tracklet {folder}: its half-written "
                "frames were removed, the tracklets written before are kept; free space and run "
                "again to go on, or ask for fewer persons or frames",
            ) from error
        raise
    except BaseException:  # an interrupt, too, leaves no half-written tracklet
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


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
    unfinished = path.with_name(path.name + UNFINISHED)
    unfinished.write_text(json.dumps(content, indent=2) + "\n")
    unfinished.rename(path)
