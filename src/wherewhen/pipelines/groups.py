"""The base class of groups of parameters, and errors that name parameters themselves."""

from collections.abc import Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError


class Group(BaseModel):
    """Base class of groups of parameters; unknown names are errors.

    Fields marked as `OPERATIONAL` do not affect what is made of the group; all others are a part of
    its identity. A field that a node reads by its own name counts there, marked or not, unless it
    holds for all stages, as `device` does. A `Path` counts by what lies there.

    Examples
    --------
    >>> class Camera(Group):
    ...     name: str = "a"
    >>> Camera(name=1).name
    '1'
    """

    # a camera that is called 1 in YAML is the camera "1"
    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, use_attribute_docstrings=True
    )

    def with_changes(self, **changes: Any) -> Self:
        """Return a copy with other values, which are not checked again."""
        return self.model_copy(update=changes)


class Faults(ValueError):
    """Faults that name their parameters themselves."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = list(lines)


class NestedFaults(ValueError):
    """Faults that models found in values that the group's own model takes as they are.

    Parameters
    ----------
    faults : sequence of (tuple of str, Any, pydantic.ValidationError)
        The place of the values below the validated one, the values, and their faults.
    """

    def __init__(self, faults: Sequence[tuple[tuple[str, ...], Any, ValidationError]]) -> None:
        super().__init__("\n".join(str(error) for *_, error in faults))
        self.faults = list(faults)
