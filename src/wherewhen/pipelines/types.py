"""Names for what nodes pass on without looking inside.

Kedro resolves the type hints of a node when the pipelines are built, to type its parameters. A hint
that named torch's or matplotlib's classes would import them for ``kedro run --help``; these names
say what is meant and cost nothing.
"""

from typing import Any

Root = Any
"""`str | pathlib.Path`: the folder of a data set. Kedro warns of a union that it can't validate."""

Network = Any
"""`wherewhen.model.siamese.SiameseNetwork`."""

Model = Any
"""`wherewhen.pretrained.writing.Model`."""

Figure = Any
"""`matplotlib.figure.Figure`."""

Image = Any
"""`PIL.Image.Image`."""

People = Any
"""`wherewhen.synthetic.planning.SyntheticSet`."""

Metrics = dict[str, Any]
"""Fitted scikit-learn pipelines by the metric's name."""
