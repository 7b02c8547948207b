"""Parameters of the stage `assemble`."""

from wherewhen.pipelines.groups import Group


class AssembleParameters(Group):
    """The model of a trial."""

    metric: str = "cosine"
    """The distance that is used unless another is asked for: ``cosine``, or one of
    `learn_metric.metrics`."""
