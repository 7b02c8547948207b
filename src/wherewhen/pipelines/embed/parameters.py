"""Parameters of the stage `embed`."""

from itertools import chain
from typing import Any, Literal

from pydantic import Field, field_validator

from wherewhen.baselines import BASELINES
from wherewhen.model.config import FisherConfig
from wherewhen.pipelines.embed.features import DEFAULT, FEATURES
from wherewhen.pipelines.groups import Group


class EmbedParameters(Group):
    """What stands for a tracklet, and how much of it is looked at."""

    features: tuple[str, ...] = DEFAULT
    """The kinds of features: ``network``, ``untrained``, ``start`` (the network of `train.start`
    before it is trained on), ``mean_pooled``, ``row_pooled``, ``attended_rows`` (row-pooled cubes,
    weighted by the trained network's attention), ``fisher`` (Fisher vectors of its frames, Section
    V-D, Eq 10), and the baselines of `wherewhen.baselines` by name. A network is trained if one of
    them needs it."""

    baselines: dict[str, dict[str, Any]] = Field({})
    """For each baseline, what its constructor takes but for the device, which is `device`."""

    frames: int | None = Field(128, ge=1)
    """Frames of a test tracklet: a probe's first, a gallery tracklet's last (Section V-C);
    null: all of them."""

    clips: int = Field(4, ge=1)
    """Clips of a training tracklet, evenly spread: the samples of metric learning."""

    clip_frames: int = Field(20, ge=1)
    """Frames of such a clip (T, Section V-B)."""

    batch_size: int = Field(16, ge=1)
    """Clips in a forward pass."""

    average_variants: Literal["off", "short", "always"] = "off"
    """Average the network's embedding of a test tracklet over the cubes' augmented variants:
    ``short`` where it has fewer than `frames` frames (Section V-C), or ``always``."""

    fisher: FisherConfig = FisherConfig()
    """How the features ``fisher`` are made."""

    @field_validator("features")
    @classmethod
    def _are_known(cls, features: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(features) - set(FEATURES)):
            raise ValueError(f"no features are called {unknown}: {', '.join(FEATURES)} are")
        if not features or len(set(features)) < len(features):
            raise ValueError("expected one kind of features or several, each named once")
        return features

    @field_validator("baselines")
    @classmethod
    def _are_of_baselines(cls, options: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        if unknown := sorted(set(options) - set(BASELINES)):
            raise ValueError(f"no baseline is called {unknown}: {', '.join(BASELINES)} are")
        if set(chain(*options.values())) & {"device"}:
            raise ValueError("a baseline has no device of its own: write device, for all stages")
        return options
