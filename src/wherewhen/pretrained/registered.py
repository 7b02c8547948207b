"""Models that MLflow knows, by their addresses: the one place where the library asks MLflow."""

from __future__ import annotations

import os
from pathlib import Path

from wherewhen.pretrained.card import CARD, PretrainedError

SCHEMES = ("models:/", "runs:/")
"""How MLflow's addresses begin."""

DATABASE = "mlflow.db"
"""Of a project, in its folder."""

INSIDE = f"artifacts/*/{CARD}"
"""Where a logged model has the folder that `wherewhen.pretrained` reads."""


def is_address(source: str | Path) -> bool:
    """Whether the source of a model is an address that MLflow knows.

    Examples
    --------
    >>> is_address("models:/synthetic@champion"), is_address("data/06_models")
    (True, False)
    """
    return isinstance(source, str) and source.startswith(SCHEMES)


def download(address: str) -> Path:
    """Return the folder of a model in MLflow, copied here if it is on another machine.

    Parameters
    ----------
    address : str
        ``models:/NAME@champion``, ``models:/NAME/3``, ``models:/m-ID`` or ``runs:/ID/trial_00``.
        MLflow is asked at ``MLFLOW_TRACKING_URI`` or what `mlflow.set_tracking_uri` was given;
        else at the ``mlflow.db`` of this folder or the nearest above it.

    Raises
    ------
    wherewhen.pretrained.PretrainedError
        If there is no such model, or it is of another kind.
    """
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    place = _database()
    try:
        logged = download_artifacts(artifact_uri=address, tracking_uri=place, registry_uri=place)
    except (MlflowException, OSError) as error:
        raise PretrainedError(
            f"{address} can't be had from MLflow ({str(error).splitlines()[0]}): kedro mlflow ui "
            "lists the registered models of a project; run this in its folder, or let "
            "MLFLOW_TRACKING_URI say where MLflow is"
        ) from error
    card = next(Path(logged).glob(INSIDE), None)
    if card is None:
        raise PretrainedError(
            f"{address} is no model of wherewhen: it has no {INSIDE}. Runs of earlier versions "
            "logged only the network: run again"
        )
    return card.parent


def _database() -> str | None:
    """Return where the project's MLflow is; None where something else says so, or nothing does."""
    import mlflow

    if mlflow.is_tracking_uri_set() or os.environ.get("MLFLOW_TRACKING_URI"):
        return None
    here = Path.cwd()
    found = (folder / DATABASE for folder in (here, *here.parents))
    return next((f"sqlite:///{file}" for file in found if file.is_file()), None)
