"""Presets under the parameters that are given: values of all stages with a name."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError, create_model

from wherewhen.hints import did_you_mean
from wherewhen.pipelines.groups import Faults, Group, NestedFaults
from wherewhen.pipelines.stages import stages
from wherewhen.presets import load_preset, overlay, preset_names

DEFAULT = "modern"

Preset = create_model(
    "Preset",
    __base__=Group,
    __doc__="Parameters of some stages.",
    __module__=__name__,
    **{name: (stage.model(), stage.model()()) for name, stage in stages().items()},
)


def over_its_preset(given: Any) -> Any:
    """Lay a tree of parameters over the preset that it chooses.

    Parameters
    ----------
    given : mapping
        Parameters by stage; ``preset``, the name of the chosen one; ``presets``, what an
        environment lays over the presets of `wherewhen.presets`, or adds to them, by name.

    Returns
    -------
    dict
        The same with the chosen preset's values where nothing is given; ``presets`` is empty.

    Raises
    ------
    Faults, NestedFaults
        If there is no such preset, or one of them is faulty, chosen or not.
    """
    if not isinstance(given, Mapping):
        return given
    presets = _checked(given.get("presets") or {})
    name = given.get("preset", DEFAULT)
    if not isinstance(name, str) or name not in presets:
        hint = did_you_mean(str(name), presets, f"known here: {', '.join(sorted(presets))}")
        raise Faults([f"preset = {name!r}: no such preset; {hint}"])
    laid = {
        stage: overlay(values, given.get(stage) or {})
        for stage, values in presets[name].items()
        if isinstance(given.get(stage) or {}, Mapping)  # else typed already, or no group at all
    }
    return {**given, **laid, "presets": {}}


def _checked(given: Any) -> dict[str, dict[str, Any]]:
    """Lay an environment's presets over the packaged ones, and find typos in all of them."""
    if not isinstance(given, Mapping):
        raise Faults([f"presets = {given!r}: expected presets by name"])
    packaged = preset_names()
    presets, faults = {}, []
    for name in [*packaged, *(str(name) for name in given if name not in packaged)]:
        changes = given.get(name) or {}
        below = load_preset(name) if name in packaged else {}
        presets[name] = overlay(below, changes) if isinstance(changes, Mapping) else changes
        try:
            Preset.model_validate(presets[name])
        except ValidationError as error:
            faults.append((("presets", name), presets[name], error))
    if faults:
        raise NestedFaults(faults)
    return presets
