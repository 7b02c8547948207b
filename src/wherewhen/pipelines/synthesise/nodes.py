"""Nodes of `synthesise`: they hand the library's plan to the data set that renders it."""

from pathlib import Path

from wherewhen.pipelines.types import Image, People
from wherewhen.synthetic.config import SyntheticConfig


def plan_people(parameters: SyntheticConfig) -> People:
    """Decide who walks where; the frames are rendered while the plan is saved."""
    from wherewhen.synthetic.planning import plan

    return plan(parameters)


def picture_people(parameters: SyntheticConfig, root: Path) -> Image:
    """Lay some of the rendered people out in one picture."""
    from wherewhen.synthetic.mosaic import mosaic
    from wherewhen.synthetic.planning import plan

    home = next(path for path in (root, *root.parents) if path.name == parameters.fingerprint)
    return mosaic(plan(parameters), home)
