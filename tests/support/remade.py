"""The sample of a pretrained network's card, from the renderer on: frames, cubes, scores."""

from pathlib import Path

import pandas as pd

from wherewhen import pretrained
from wherewhen.features.backbones import build_backbone
from wherewhen.features.extraction import CubeExtraction
from wherewhen.features.weights import WeightsSource
from wherewhen.pretrained.card import Card
from wherewhen.publish import sample_scores
from wherewhen.synthetic import layouts
from wherewhen.synthetic.config import SyntheticConfig
from wherewhen.synthetic.planning import plan
from wherewhen.tracklets.cubes import ArrayCubes
from wherewhen.tracklets.readers import read


def remade_scores(folder: Path, scratch: Path) -> tuple[Card, dict[str, dict[str, float]]]:
    """Render the persons of a card's sample, and score them with the files of its folder."""
    card = pretrained.load_card(folder)
    windows = pd.DataFrame(card.sample.windows)
    footage = read("folder", _rendered(card, windows, scratch))
    extract = card.making.parameters["extract"]
    extraction = CubeExtraction(
        build_backbone(
            extract["backbone"],
            WeightsSource(**extract["weights"]),
            precision=extract["precision"],
            compiled=extract["compiled"],
        ),
        footage.root,
        footage.tracklets,
        footage.frames,
        batch_size=extract["batch_size"],
    )
    needed = sorted(set(windows.tracklet))
    cubes = ArrayCubes({name: extraction.cubes_of(name)[0] for name in needed})
    network, metrics = pretrained.load_network(folder), pretrained.load_metrics(folder)
    return card, sample_scores(network, metrics, cubes, windows, card.protocol)


def _rendered(card: Card, windows: pd.DataFrame, home: Path) -> Path:
    """Write the frames of the sample as folders, whose tracklets have the names of the plan."""
    planned = plan(SyntheticConfig(**card.data.rendered))
    shots = {shot.tracklet: shot for shot in planned.shots}
    chosen = [shots[tracklet] for tracklet in sorted(set(windows.tracklet))]
    names = [camera.name for camera in planned.config.camera_list]
    frames = lambda shot: planned.film(shot.tracklet)[0]  # noqa: E731
    return layouts.write("folder", home, chosen, names, frames)
