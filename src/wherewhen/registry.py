"""Models in MLflow (the Kedro side): logged by every run, registered, and the champion among them.

A registered model bears its data set's name. Its versions are the models of first trials; the alias
``champion`` is at the best of them, as far as their scores can be compared.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from wherewhen.pretrained.card import BACKBONE, read_card
from wherewhen.pretrained.card import CARD as CARD_FILE
from wherewhen.tracking import client

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

    from wherewhen.pretrained.card import Card

CHAMPION = "champion"
"""The alias."""

MEASURE = "mAP"
"""What the champion is best at, by the model's own distance."""

COMPARABLE = ("protocol", "split_fingerprint", "dataset_fingerprint")
"""Tags of versions whose scores can be compared."""

FALSE_MATCH_RATE = 0.01
"""At which pairs are matches unless a request says otherwise, if the card has a threshold there."""

PACKAGES = (
    "numpy", "pandas", "pillow", "psutil", "pydantic", "pyyaml", "safetensors", "scikit-learn",
    "scipy", "tqdm", "torch", "torchvision",
)  # fmt: skip
"""Those that every model needs; of a backbone there may be more."""


def log_model(folder: Path, name: str, run_id: str) -> str:
    """Log a model's folder as an MLflow model from code: pictures in, answers out.

    The code that it needs is logged with it: nothing has to be installed under this project's name.

    Parameters
    ----------
    folder : Path
        As `wherewhen.pretrained.writing.write_model` makes it.
    name : str
        The model's name within the run.
    run_id : str
        The run.

    Returns
    -------
    str
        The model's id.

    See Also
    --------
    wherewhen.mlflow_model : What MLflow runs.
    """
    import warnings
    from tempfile import TemporaryDirectory

    import mlflow
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus
    from mlflow.models import Model

    # Not mlflow.pyfunc.log_model: it would load the model and answer the example, for seconds.
    mlflow_client, card = client(), read_card(folder / CARD_FILE)
    run = mlflow_client.get_run(run_id)
    logged = mlflow_client.create_logged_model(
        run.info.experiment_id, name, run_id, params=run.data.params
    )
    # MLflow would like type hints, which say less than the signature.
    with TemporaryDirectory() as temporary, warnings.catch_warnings(record=True):
        made = Path(temporary, "made")
        mlflow.pyfunc.save_model(
            made,
            python_model=str(Path(__file__).with_name("mlflow_model.py")),
            code_paths=[str(_copy_code("wherewhen.mlflow_model", Path(temporary)))],
            artifacts={"model": str(folder)},
            signature=_signature(card),
            input_example=_example(),
            pip_requirements=_requirements(card),
            mlflow_model=Model(model_id=logged.model_id, run_id=run_id),
        )
        mlflow_client.log_model_artifacts(logged.model_id, str(made))
    mlflow_client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    mlflow_client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    return logged.model_id


def _signature(card: Card) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Array, Object, Property

    found = Object(
        [
            Property("rank", "long"),
            Property("tracklet", "string"),
            Property("distance", "double"),
            Property("probability", "double"),
            Property("match", "boolean", required=False),
        ]
    )
    named = [ColSpec("string", "tracklet"), ColSpec("string", "role")]
    answered = [
        ColSpec(Array("double"), "embedding"),
        ColSpec(Array(found), "ranking"),
        ColSpec("double", "difference"),
    ]
    return ModelSignature(
        inputs=Schema([*named, ColSpec(Array("string"), "frames")]),
        outputs=Schema([*named, *answered]),
        params=ParamSchema([ParamSpec("false_match_rate", "double", _false_match_rate(card))]),
    )


def _false_match_rate(card: Card) -> float | None:
    """Return the rate nearest above `FALSE_MATCH_RATE` of those that the card has; None: none."""
    known = [each.false_match_rate for each in card.calibration(card.metric).thresholds]
    return min((rate for rate in known if rate >= FALSE_MATCH_RATE), default=None)


def _example() -> Any:
    """Return a request of two tiny pictures, a red one and a green one."""
    import pandas as pd
    from PIL import Image

    def picture(colour: str) -> str:
        content = io.BytesIO()
        Image.new("RGB", (4, 8), colour).save(content, "PNG")
        return base64.b64encode(content.getvalue()).decode()

    return pd.DataFrame(
        {
            "tracklet": ["one", "another"],
            "role": ["probe", "gallery"],
            "frames": [[picture("red")], [picture("green")]],
        }
    )


def _requirements(card: Card) -> list[str]:
    from importlib.metadata import version

    from wherewhen.features.weights import PACKAGES as WITH_WEIGHTS

    backbone, needed = card.cubes["backbone"]["name"], list(PACKAGES)
    if backbone.startswith("timm:"):
        needed.append("timm")
    if BACKBONE not in card.files:
        modules = (name for name, each in WITH_WEIGHTS.items() if each.backbone == backbone)
        needed += [module.replace("_", "-") for module in modules]
    return [f"{package}=={version(package)}" for package in needed]


def _copy_code(module: str, folder: Path) -> Path:
    """Copy the modules without which a module can't run; return the package's folder."""
    import shutil

    from wherewhen.lineage.code import SOURCE, modules_to_run, source_file

    for file in map(source_file, modules_to_run(module)):
        copy = folder / "wherewhen" / file.relative_to(SOURCE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    return folder / "wherewhen"


def about(card: Card, **known: str) -> dict[str, str]:
    """Return the tags of a version: what its score is of, and what is `known` of it besides."""
    tags = {
        "protocol": card.protocol,
        "dataset_fingerprint": card.data.fingerprint,
        "metric": card.metric,
        **known,
    }
    for each in card.scores:
        if (each.features, each.metric, each.measure) == ("network", card.metric, MEASURE):
            tags[MEASURE] = str(each.value)
    return tags


def register(model_id: str, name: str, tags: Mapping[str, str]) -> str:
    """Register a logged model as a version; make it the champion if it is known to be better.

    Parameters
    ----------
    model_id : str
        Of the logged model.
    name : str
        The registered model's: the data set.
    tags : mapping
        As from `about`.

    Returns
    -------
    str
        A line that says what has happened.
    """
    from mlflow.exceptions import MlflowException

    registry = client()
    try:
        before = registry.get_registered_model(name).aliases.get(CHAMPION)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        before = registry.create_registered_model(name).aliases.get(CHAMPION)
    made = registry.create_model_version(
        name, f"models:/{model_id}", tags=dict(tags), model_id=model_id
    )
    champion = None if before is None else registry.get_model_version(name, before)
    kept = None if champion is None else _why_it_stays(champion, tags)
    if kept is not None:
        return f"registered model {name}, version {made.version}; champion stays {before}: {kept}"
    registry.set_registered_model_alias(name, CHAMPION, made.version)
    return f"registered model {name}, version {made.version}, its champion"


def _why_it_stays(champion: ModelVersion, tags: Mapping[str, str]) -> str | None:
    """Say why a champion is not replaced; None: it is."""
    other = [name for name in COMPARABLE if champion.tags.get(name) != tags.get(name)]
    if other:
        said = (f"{name} {champion.tags.get(name)}, now {tags.get(name)}" for name in other)
        return f"scores can't be compared ({'; '.join(said)})"
    if MEASURE not in tags:
        return f"there is no {MEASURE} now"
    if MEASURE in champion.tags and float(tags[MEASURE]) <= float(champion.tags[MEASURE]):
        scores = (float(each[MEASURE]) for each in (champion.tags, tags))
        return "its {} is {:.4f}, now {:.4f}".format(MEASURE, *scores)
    return None


def versions(name: str) -> list[tuple[ModelVersion, Path | None]]:
    """List a registered model's versions, and where their files are; None: on another machine."""
    registry = client()
    found = registry.search_model_versions(f"name = '{name}'")
    return [(each, _place(registry, each)) for each in found]


def _place(registry: Any, version: ModelVersion) -> Path | None:
    parsed = urlparse(registry.get_model_version_download_uri(version.name, version.version))
    return Path(unquote(parsed.path)) if parsed.scheme in {"", "file"} else None


def forget(name: str, which: list[str]) -> None:
    """Remove versions of a registered model; the model, too, if none is left."""
    registry = client()
    for version in which:
        registry.delete_model_version(name, version)
    if not registry.search_model_versions(f"name = '{name}'"):
        registry.delete_registered_model(name)
