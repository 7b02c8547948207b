"""The methods that the paper compares its network with; they read raw frames and no cubes."""

from collections.abc import Iterator, Sequence
from functools import partial, update_wrapper

from kedro.pipeline import Node, node

from wherewhen.baselines import BASELINES
from wherewhen.pipelines.embed.features.record import FeatureKind


def _nodes(names: Sequence[str]) -> Iterator[Node]:
    from wherewhen.pipelines.embed import nodes

    for name in names:
        yield node(
            update_wrapper(partial(nodes.describe, features=name), nodes.describe),
            ["frames_root", "frames", "windows", f"params:embed.baselines.{name}", "params:device"],
            f"embeddings_{name}",
            name=f"describe_by_{name}",
        )


KINDS = tuple(
    FeatureKind(name, "A baseline from raw frames.", _nodes, euclidean=True) for name in BASELINES
)
