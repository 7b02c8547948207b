"""Parameters of the stage `train`, laid over a preset."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator

from wherewhen import pretrained
from wherewhen.hints import did_you_mean
from wherewhen.model.config import NetworkConfig
from wherewhen.pipelines.groups import Faults, Group, NestedFaults
from wherewhen.presets import load_preset, overlay, preset_names
from wherewhen.training.config import TrainingConfig

RANDOM = "random"
"""Start of a training from no file."""

PRETRAINED = "pretrained"
"""The network that ships with this package, in all trials."""


class Preset(Group):
    """Values with a name."""

    network: NetworkConfig = NetworkConfig()
    """Parts of the network."""

    training: TrainingConfig = TrainingConfig()
    """How it is trained."""

    start: dict[str, Path] | str = RANDOM
    """Weights that training starts from: ``random``, or those of trained networks, in files that
    are named as for `network_from`, or ``pretrained``. Statistics and basis of the cubes are then
    the file's, too, and `network` has to agree with the file in what decides them and the weights'
    shapes."""

    @field_validator("start", "network_from", mode="before", check_fields=False)
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


class TrainParameters(Preset):
    """The Siamese attention network and its training.

    `network` and `training` are laid over the chosen preset, and that over the fields' defaults;
    `start` is the preset's where it is not given.
    """

    preset: str = "modern"
    """``modern`` trains well, ``paper`` is the letter of the paper; or another name of `presets`.
    """

    presets: dict[str, Preset] = Field({}, exclude=True)
    """Presets by name, laid over the files of `wherewhen.presets`; another name is another preset.
    """

    network_from: dict[str, Path] | str | None = None
    """Trained networks, which are taken as they are, so that nothing is trained (Section V-I): a
    file with ``{trial}`` in its name, or a file for each trial's name; ``pretrained``: the one that
    ships with this package. Null: train."""

    seed_by_trial: bool = False
    """Add a trial's number to the seeds of network and training: where the split is fixed, nothing
    else tells trials apart."""

    @model_validator(mode="before")
    @classmethod
    def _lay_over_the_preset(cls, given: Any) -> Any:
        """Complete `network` and `training`; `presets` are used up."""
        if not isinstance(given, Mapping):
            return given
        presets = _checked_presets(given.get("presets") or {})
        name = given.get("preset", cls.model_fields["preset"].default)
        if not isinstance(name, str) or name not in presets:
            hint = did_you_mean(str(name), presets, f"known here: {', '.join(sorted(presets))}")
            raise Faults([f"train.preset = {name!r}: no such preset; {hint}"])
        chosen = {
            group: overlay(presets[name].get(group, {}), given.get(group) or {})
            for group in ("network", "training")
            if isinstance(given.get(group) or {}, Mapping)  # else typed already, or no group at all
        }
        start = given.get("start") or presets[name].get("start", RANDOM)
        return {**given, **chosen, "start": start, "presets": {}}


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


def _checked_presets(given: Any) -> dict[str, Any]:
    """Lay an environment's presets over the packaged ones, and find typos in all of them."""
    if not isinstance(given, Mapping):
        raise Faults([f"train.presets = {given!r}: expected presets by name"])
    packaged = preset_names()
    presets, faults = {}, []
    for name in {*packaged, *map(str, given)}:
        changes = given.get(name) or {}
        try:
            Preset.model_validate(changes)
            presets[name] = overlay(load_preset(name) if name in packaged else {}, changes)
            Preset.model_validate(presets[name])
        except ValidationError as error:
            faults.append((("presets", name), changes, error))
    if faults:
        raise NestedFaults(faults)
    return presets
