"""Nodes of `synthesise`: plan the walks; the data set renders them when it is saved."""

from pathlib import Path

from wherewhen.pipelines.types import Image, People
from wherewhen.synthetic.config import SyntheticConfig


def plan_people(parameters: SyntheticConfig) -> People:
    """Plan persons and walks; the frames are rendered when the plan is saved."""
    from wherewhen.synthetic.planning import plan

    return plan(parameters)


def picture_people(parameters: SyntheticConfig, root: Path) -> Image:
    """Return a mosaic of some rendered people."""
    from wherewhen.synthetic.mosaic import mosaic
    from wherewhen.synthetic.planning import plan

    home = next(path for path in (root, *root.parents) if path.name == parameters.fingerprint)
    return mosaic(plan(parameters), home)
