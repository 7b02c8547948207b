"""Parts of a backbone: what of it is trained, and what of it stays as it is."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from wherewhen.tracklets.sizes import Size, as_size, times

FROZEN, NORMS, ALL, LAST = "frozen", "norms", "all", "last:"
TRAINED = rf"^({FROZEN}|{NORMS}|{ALL}|{LAST}[1-9]\d*)$"
"""Pattern of what is trained of a backbone."""

NO_WEIGHTS: dict[str, Any] = {"source": "none", "sha256": None}
"""Record of the weights of a part that has none: cubes are pixels."""


MOST_PIXELS = 2**22
"""Of the images of a backbone that is trained: 2048 x 2048."""


class TrunkSpec(BaseModel):
    """What a trunk (`wherewhen.features.trunk.Trunk`) is built from."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    backbone: str
    """Name of the backbone."""
    size: Size
    """Height and width of its images in pixels."""
    trained: str = Field(pattern=TRAINED)
    """``norms``: its normalisation layers; ``last:N``: its last N stages; ``all``."""
    channels: Literal["RGB", "BGR"] = "RGB"
    """Order of the colours in its input."""
    weights_sha256: str
    """Hash of the backbone's weights before the training."""

    @field_validator("size")
    @classmethod
    def _can_be_computed(cls, size: Size) -> Size:
        if math.prod(as_size(size)) > MOST_PIXELS:
            raise ValueError(
                f"images of {times(size)} pixels: a backbone that is trained takes at most "
                f"{MOST_PIXELS:,} pixels (extract.size)"
            )
        return size
