"""Environments (the Kedro side): a data set is one, in a folder of ``conf/``."""

from __future__ import annotations

import re
import tarfile
import zipfile
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any

from wherewhen.project import conf_source, from_root, project_root, to_root

NOT_DATA_SETS = ("base", "local")
"""Folders of ``conf/`` that are no data set's."""

RENDERED = ("synthetic", "development", "hundred", "population")
"""Data sets of rendered people: nobody may take footage of theirs for that of real ones."""

NAME = re.compile(r"[a-z][a-z0-9_]*")
"""Names that a folder, an MLflow experiment and an environment can have anywhere."""


class EnvironmentError(ValueError):
    """An environment that there isn't, or that can't be made."""


def environments(source: Path | None = None) -> list[str]:
    """Name the environments: the folders in the configuration, which may be a tar or zip file."""
    source = source or conf_source()
    if source.is_dir():
        return sorted(path.name for path in source.iterdir() if path.is_dir())
    names: list[str] = []
    if tarfile.is_tarfile(source):
        with tarfile.open(source) as archive:
            names = archive.getnames()
    elif zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            names = archive.namelist()
    parts = [PurePosixPath(name).parts for name in names]
    return sorted({each[1] for each in parts if len(each) > 2})


def check_environment(env: str | None, source: Path | None = None) -> None:
    """Refuse an environment that there isn't.

    Raises
    ------
    EnvironmentError
        Naming those that there are, and the one that was probably meant.
    """
    source = source or conf_source()
    if not source.exists():
        raise EnvironmentError(
            f"there is no configuration at {source}: expected a folder, or the archive that `kedro "
            "package` writes; name it with --conf-source"
        )
    known = environments(source)
    if env is not None and env not in known:
        near = get_close_matches(env, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise EnvironmentError(
            f"no environment {env!r} in {to_root(source)}; {hint} One for footage of your own: "
            "kedro new-dataset NAME --root FOLDER"
        )


def check_footage(parameters: Any, loader: Any) -> None:
    """Refuse real footage under the name of rendered people.

    Parameters
    ----------
    parameters : wherewhen.pipelines.parameters.Parameters
        The typed tree.
    loader : kedro.config.OmegaConfigLoader
        Knows what was given by ``--params``.

    Raises
    ------
    EnvironmentError
        If footage is read into a data set of rendered people.
    """
    root = parameters.ingest.root
    if root is None:
        return
    dataset = parameters.evaluate.dataset
    given = (loader.runtime_params or {}).get("ingest") or {}
    if dataset in RENDERED or ("root" in given and _renders(loader)):
        raise EnvironmentError(
            f"ingest.root is {root}, but {dataset} is a data set of rendered people: real footage "
            "needs an environment of its own, so that neither is taken for the other. Make one: "
            f"kedro new-dataset NAME --reader {parameters.ingest.reader} --root {root}"
        )


def _renders(loader: Any) -> bool:
    """Whether an environment renders its people, as long as no parameter is given."""
    from kedro.config import OmegaConfigLoader

    plain = OmegaConfigLoader(
        loader.conf_source,
        env=loader.env,
        base_env=loader.base_env,
        default_run_env=loader.default_run_env,
        merge_strategy=loader.merge_strategy,
    )
    return plain["parameters"].get("ingest", {}).get("root") is None


def new_dataset(name: str, reader: str, root: str) -> list[Path]:
    """Make an environment for footage.

    Parameters
    ----------
    name : str
        Of the environment and the data set.
    reader : str
        A name of `wherewhen.tracklets.readers.READERS`.
    root : str
        The footage's folder, or its archive; relative to the project's root, or absolute.

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    EnvironmentError
        If the name is taken or can't be one, the reader is unknown, or nothing lies at the root.
    """
    from wherewhen.tracklets.readers import reader_named

    folder = project_root() / "conf" / name
    if not NAME.fullmatch(name) or name in NOT_DATA_SETS:
        raise EnvironmentError(
            f"{name!r} can't name a data set: expected small letters, digits and _, a letter "
            "first, and neither base nor local"
        )
    if name in environments() or name in RENDERED:
        raise EnvironmentError(f"there is an environment {name} already: choose another name")
    reader_named(reader)
    if not from_root(root).exists():
        raise EnvironmentError(f"nothing lies at {from_root(root)}: expected the footage's folder")
    protocol = "single_match" if reader in ("prid2011", "ilids_vid") else "cross_camera"
    folder.mkdir(parents=True)
    globals_, parameters = folder / "globals.yml", folder / "parameters.yml"
    globals_.write_text(f"dataset: {name}\n", encoding="utf-8")
    parameters.write_text(_PARAMETERS.format(reader=reader, root=_quoted(root), protocol=protocol))
    return [globals_, parameters]


_PARAMETERS = """\
# Footage of your own. All parameters, with what they mean: conf/base/parameters_*.yml. People in it
# have rights: docs/responsible-use.md. `kedro purge --dataset NAME` removes what was derived.
ingest:
  reader: {reader}
  root: {root}
  options:
    prid2011: {{shared_persons: 200}}   # higher numbers are other people in the second camera

split:
  trials: 10

evaluate:
  protocol: {protocol}      # single_match: one tracklet a person and camera, two cameras
"""


def _quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)  # valid YAML, whatever is in a path
