"""Parameters of the stage `train`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from wherewhen import pretrained
from wherewhen.features.backbones.parts import FROZEN, TRAINED
from wherewhen.model.config import NetworkConfig
from wherewhen.pipelines.groups import Group
from wherewhen.training.config import TrainingConfig

RANDOM = "random"
"""Start of a training from no file."""

PRETRAINED = "pretrained"
"""The network that ships with this package, in all trials."""


class TrainParameters(Group):
    """The Siamese attention network and its training."""

    network: NetworkConfig = NetworkConfig()
    """Parts of the network."""

    training: TrainingConfig = TrainingConfig()
    """How it is trained."""

    start: dict[str, Path] | str = RANDOM
    """Weights that training starts from: ``random``, or those of trained networks, in files that
    are named as for `network_from`, or ``pretrained``. Statistics and basis of the cubes are then
    the file's, too, and `network` has to agree with the file in what decides them and the weights'
    shapes."""

    backbone: str = Field(FROZEN, pattern=TRAINED)
    """What of the backbone (`extract.backbone`) is trained, too: ``frozen``: nothing (the paper);
    ``norms``: its normalisation layers; ``last:N``: its last N stages; ``all``. The stages before
    make the cubes that are kept; for ``norms`` and ``all`` cubes are pixels, read from the frames
    whenever they are needed."""

    network_from: dict[str, Path] | str | None = None
    """Trained networks, which are taken as they are, so that nothing is trained (Section V-I): a
    file with ``{trial}`` in its name, or a file for each trial's name; ``pretrained``: the one that
    ships with this package. Null: train."""

    seed_by_trial: bool = False
    """Add a trial's number to the seeds of network and training: where the split is fixed, nothing
    else tells trials apart."""

    @field_validator("start", "network_from", mode="before")
    @classmethod
    def _names_files(cls, given: Any) -> Any:
        """Find braces that stand for nothing before a file is looked for."""
        if isinstance(given, str):
            try:
                given.format(trial="")
            except (LookupError, ValueError, AttributeError) as error:
                raise ValueError(
                    "expected a file's path; the only braces in it are those of {trial}"
                ) from error
        return given


def network_files(given: Mapping[str, Path] | str, trials: Sequence[str]) -> dict[str, Path]:
    """Give every trial the file of its network.

    Parameters
    ----------
    given : mapping of str to Path, or str
        What `TrainParameters` takes: files by trial, one with ``{trial}`` in its name, or
        ``pretrained``.
    trials : sequence of str
        The trials' names.

    Raises
    ------
    wherewhen.pretrained.PretrainedError
        If this version ships no network.
    """
    if given == PRETRAINED:
        return dict.fromkeys(trials, pretrained.network_file())
    if isinstance(given, str):
        return {name: Path(given.format(trial=name)) for name in trials}
    return dict(given)
