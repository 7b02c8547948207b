"""Pipeline of the stage `embed`."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.embed import nodes
from wherewhen.pipelines.embed.features import FEATURES
from wherewhen.pipelines.trials import per_trial


def create_pipeline(trials: Iterable[str], features: Sequence[str]) -> Pipeline:
    """Return the stage for all trials; `features` are names of `FEATURES`."""
    options = [f"params:embed.{name}" for name in ("frames", "clips", "clip_frames")]
    once = [
        node(
            nodes.choose_windows, ["split", "tracklets", *options], "windows", name="choose_windows"
        )
    ]
    together = defaultdict(list)
    for name in sorted(features, key=list(FEATURES).index):  # any order makes the same nodes
        together[FEATURES[name].nodes].append(name)
    for nodes_of, names in together.items():
        once += nodes_of(names)
    return per_trial(Pipeline(once), trials)
