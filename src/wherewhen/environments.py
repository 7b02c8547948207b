"""Environments (the Kedro side): folders of ``conf/``, one for each data set."""

from __future__ import annotations

import math
import os
import re
import shlex
import shutil
import tarfile
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from wherewhen.hints import did_you_mean
from wherewhen.project import conf_source, from_root, project_root, to_root
from wherewhen.tracklets.files import displayed, is_text, is_there, reason, shortened

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft", "globals": "soft"},
}
"""How Kedro lays an environment over ``base``."""

NOT_DATA_SETS = ("base", "local")
"""Folders of ``conf/`` that are no data set's."""

RENDERED = ("synthetic", "development", "hundred", "population", "held_out")
"""Data sets of rendered people, whose names footage of real people must not have."""

FIXED = ("mars", "ilids_vid")
"""Readers of data sets whose owners say who trains."""

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
"""Names that a folder, an MLflow experiment and an environment can have anywhere."""

TEMPLATE = Path(__file__).with_name("environment.yml.jinja")
"""The parameters of a new environment."""

VARIABLE = "KEDRO_ENV"
"""Environment variable: the environment of commands without ``--env``."""


class ConfigurationError(ValueError):
    """An environment is unknown, or can't be made."""


def environments(source: Path | None = None) -> list[str]:
    """Name the environments: the folders in the configuration, which may be a tar or zip file."""
    source = source or conf_source()
    if source.is_dir():
        return sorted(path.name for path in source.iterdir() if path.is_dir())
    parts = [PurePosixPath(name).parts for name in _names_in(source)]
    return sorted({each[1] for each in parts if len(each) > 2})


def _names_in(archive: Path) -> list[str]:
    """List the members of a tar or zip file; none if it is neither, or damaged."""
    with suppress(tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, OSError):
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                return file.namelist()
        with tarfile.open(archive) as file:
            return file.getnames()
    return []


def check_environment(env: str | None, source: Path | None = None) -> None:
    """Refuse an environment that there isn't; without one, that of ``KEDRO_ENV``.

    Raises
    ------
    ConfigurationError
        Naming those that there are, and the one that was probably meant.
    """
    source = source or conf_source()
    if not source.exists():
        raise ConfigurationError(
            f"there is no configuration at {source}: work in the project's folder, unpack there "
            "the archive that `kedro package` writes beside the wheel, or, for `run`, name a "
            "folder or that archive with --conf-source"
        )
    known = environments(source)
    if not known:
        raise ConfigurationError(
            f"{source} is no configuration: expected a folder with a folder for each environment, "
            "or the archive that `kedro package` writes; correct --conf-source"
        )
    asked = os.environ.get(VARIABLE) or None if env is None else env
    if asked is not None and asked not in known:
        hint = did_you_mean(asked, known, f"there are {', '.join(known)}.")
        said = f" (of the variable {VARIABLE})" if env is None else ""
        raise ConfigurationError(
            f"no environment {asked!r}{said} in {to_root(source)}; {hint} To make one for footage "
            "of your own: kedro new-dataset NAME --root FOLDER"
        )


def config_loader(env: str | None = None, source: Path | None = None, **patterns: list[str]) -> Any:
    """Return the loader of an environment's configuration, set up as a session's.

    Parameters
    ----------
    env : str, optional
        The environment; None: Kedro's default.
    source : Path, optional
        The configuration; None: the project's.
    **patterns : list of str
        File names of configuration that is this project's own, by its key; merged softly.
    """
    from kedro.config import OmegaConfigLoader

    source = source or conf_source()
    check_environment(env, source)
    soft = CONFIG_LOADER_ARGS["merge_strategy"] | dict.fromkeys(patterns, "soft")
    options = {**CONFIG_LOADER_ARGS, "merge_strategy": soft, "config_patterns": patterns}
    return OmegaConfigLoader(str(source), env=env, **options)


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
    ConfigurationError
        If footage is read into a data set of rendered people.
    """
    root = parameters.ingest.root
    if root is None:
        return
    dataset = parameters.evaluate.dataset
    given = (loader.runtime_params or {}).get("ingest") or {}
    if dataset in RENDERED or ("root" in given and _renders(loader.env, loader.conf_source)):
        raise ConfigurationError(
            f"ingest.root is {root}, but {dataset} is a data set of rendered people: real footage "
            "needs an environment of its own, so that neither is taken for the other. Make one: "
            f"kedro new-dataset NAME --reader {parameters.ingest.reader} "
            f"--root {shlex.quote(str(root))}"
        )


def _renders(env: str | None, source: str) -> bool:
    """Whether an environment renders its people, as long as no parameter is given."""
    ingest = config_loader(env, Path(source))["parameters"].get("ingest", {})
    return ingest.get("root") is None


def new_dataset(
    name: str, reader: str, root: str, model: bool = False, boxes: str | None = None
) -> list[Path]:
    """Make an environment for footage.

    Parameters
    ----------
    name : str
        Of the environment and the data set.
    reader : str
        A name of `wherewhen.tracklets.readers.READERS`.
    root : str
        The footage's folder, or its archive; relative to the project's root, or absolute.
    model : bool
        Take the model that ships with the package as it is: nobody trains, everybody is tested.
    boxes : str, optional
        Where the reader ``mot`` finds boxes; None: beside the footage.

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    ConfigurationError
        If the name is taken or can't be one, nothing lies at the root, or the project has no
        configuration that can be written to. Nothing is half-written.
    ValueError
        If the reader is unknown.
    """
    from wherewhen.tracklets.readers import reader_named

    _check_name(name)
    reader_named(reader)
    if model and reader in FIXED:
        raise ConfigurationError(
            f"the reader {reader} has splits of its own, in which somebody trains: leave --model "
            "out, or take the reader folder or manifest"
        )
    if not root.strip() or not is_text(root) or not is_there(from_root(root)):
        place = displayed(from_root(root)) if root.strip() else "an empty path"
        raise ConfigurationError(
            f"--root: nothing that can be used lies at {place}; expected the footage's folder or "
            "archive, by an absolute path or one from the project's folder, in UTF-8"
        )
    folder = project_root() / "conf" / name
    try:
        folder.mkdir()
        try:
            (folder / "globals.yml").write_text(f"dataset: {name}\n", encoding="utf-8")
            written = _parameters(name, reader, root, model, boxes)
            (folder / "parameters.yml").write_text(written, "utf-8")
        except BaseException:
            shutil.rmtree(folder)
            raise
    except OSError as error:
        raise ConfigurationError(
            f"{folder} can't be made: {reason(error)}. Expected a project's folder conf that can "
            "be written to"
        ) from error
    return [folder / "globals.yml", folder / "parameters.yml"]


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name) or name in NOT_DATA_SETS:
        raise ConfigurationError(
            f"{shortened(name)} can't name a data set: expected at most 40 small letters, digits "
            "and _, a letter first, and neither base nor local"
        )
    if name in RENDERED:
        raise ConfigurationError(f"{name} is a data set of rendered people: choose another name")
    if name in environments():
        raise ConfigurationError(f"there is an environment {name} already: choose another name")


def _parameters(name: str, reader: str, root: str, model: bool, boxes: str | None) -> str:
    """Write the parameters of an environment: what the reader needs, and what is worth a look."""
    from jinja2 import Environment

    environment = Environment(trim_blocks=True, keep_trailing_newline=True, autoescape=False)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    written = {"root": _in_yaml(root), "boxes": "null" if boxes is None else _in_yaml(boxes)}
    return template.render(name=name, reader=reader, model=model, **written)


def _in_yaml(text: str) -> str:
    """Write a text as YAML in which nothing is replaced."""
    import yaml

    escaped = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)  # OmegaConf's, for which ${ is a variable
    written = yaml.safe_dump(escaped, default_style='"', allow_unicode=True, width=math.inf)
    return written.strip()
