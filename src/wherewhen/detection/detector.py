"""A detector of torchvision, of which the persons are kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wherewhen.devices import usable_device
from wherewhen.features.backbones.torchvision_networks import download, published
from wherewhen.features.checkpoint_files import WeightsError, read_checkpoint
from wherewhen.features.fitting import load_into
from wherewhen.tracklets.fingerprint import file_sha256

if TYPE_CHECKING:
    from PIL import Image

DETECTORS = (
    "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
    "fcos_resnet50_fpn",
    "retinanet_resnet50_fpn",
    "retinanet_resnet50_fpn_v2",
    "ssd300_vgg16",
    "ssdlite320_mobilenet_v3_large",
)
"""Torchvision's detectors, all trained on COCO."""

DETECTOR = DETECTORS[0]
"""The one that is used if none is named: of those that a processor can run through a video in
reasonable time, the one with the highest precision on COCO, as torchvision states it."""

PERSON = "person"
"""The category of COCO."""


class Detector:
    """Finds people in pictures.

    Parameters
    ----------
    name : str
        One of `DETECTORS`.
    weights : Path, optional
        A file of its weights, as torchvision publishes them or of a training of one's own on COCO's
        categories; None: torchvision's own download.
    device : str
        ``cpu``, ``cuda``, or ``auto``.

    Attributes
    ----------
    identity : dict
        What the boxes depend on.

    Raises
    ------
    ValueError
        For an unknown name.
    wherewhen.features.checkpoint_files.WeightsError
        If the weights can't be had or do not fit, with the ways out.
    """

    def __init__(self, name: str = DETECTOR, weights: Path | None = None, device: str = "auto"):
        import torchvision

        if name not in DETECTORS:
            raise ValueError(f"no detector {name!r}: expected one of {', '.join(DETECTORS)}")
        self._network = torchvision.models.get_model(name, weights=None, weights_backbone=None)
        about, kept = published(name)
        self._person = about.meta["categories"].index(PERSON)
        origin = weights or kept
        try:
            state = download(name) if weights is None else read_checkpoint(weights)
            load_into(self._network, state, name, origin)
        except WeightsError as error:
            cause = str(error).partition("\nWays out:")[0]  # those of backbones
            raise WeightsError(f"{cause}\n{_ways_out(name, about.url)}") from error
        self.device = usable_device(device)
        self._network.eval().to(self.device)
        self.identity: dict[str, Any] = {
            "detector": name,
            "weights": file_sha256(origin),
            "torchvision": torchvision.__version__.split("+")[0],
        }

    def __call__(self, picture: Image.Image) -> NDArray[np.float64]:
        """Return the people in a picture of mode RGB.

        Returns
        -------
        numpy.ndarray, float64 [N, 5]
            Left, top, right and bottom edge (pixels), and the confidence.
        """
        import torch

        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1).to(self.device) / 255
        with torch.inference_mode():
            [found] = self._network([pixels])
        people = found["labels"] == self._person
        boxes = torch.cat([found["boxes"], found["scores"][:, None]], dim=1)[people]
        return boxes.double().cpu().numpy()


def _ways_out(name: str, url: str) -> str:
    return (
        "Ways out:\n"
        f"  1. --weights FILE: the weights of {name} from {url}, copied from a machine with a "
        "network\n"
        "  2. --boxes FILE: boxes in MOTChallenge's format from a tracker of your own"
    )
