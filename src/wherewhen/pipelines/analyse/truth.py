"""Node of `analyse` for rendered people: where and when the network looks, against the truth."""

import logging
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from wherewhen.attention_measures import (
    Foreign,
    Measured,
    cell_shares,
    draw_foreign,
    pointing_game,
    visibility_correlation,
    weight_on,
    weight_on_foreign,
)
from wherewhen.pipelines.truth import truths_of
from wherewhen.pipelines.types import Network, Root
from wherewhen.reporting.looks import attention_table
from wherewhen.retrieval.distances import DISTANCES
from wherewhen.retrieval.evaluate import Evaluation, evaluate_task
from wherewhen.retrieval.task import Task
from wherewhen.tracklets.cubes import CubeReader
from wherewhen.tracklets.mixed_cubes import MixedCubes
from wherewhen.tracklets.threads import one_thread
from wherewhen.tracklets.windows import Window, as_windows

log = logging.getLogger(__name__)

WINDOW = ["tracklet", "start", "stop"]


class Seen(NamedTuple):
    """What the frames of some windows show, a list entry a window."""

    person: list[np.ndarray]
    """Share of each cell that shows the person, [n, H, W]."""
    occluder: list[np.ndarray]
    """Share of each cell that an occluder covers, [n, H, W]."""
    visible: list[np.ndarray]
    """Visible share of the person, [n]."""


def measure_looks(
    cubes: CubeReader,
    windows: pd.DataFrame,
    frames: pd.DataFrame,
    people: Root,
    batch_size: int,
    dataset: str,
    protocol: str,
    metric: str,
    visible_shares: Sequence[float],
    seed: int,
    tracklets: int,
    device: str,
    network: Network,
    *untrained: Network,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure where and when a network looks, and what that is worth; picture some probes.

    The rows: the network, the same one without its frame weights, the same one without its
    attention, and the untrained one where there is one.
    """
    from wherewhen.model.ablations import with_averaged_frames, with_muted_attention
    from wherewhen.model.encode import encode_tracklets

    probes, gallery = (
        windows[windows.role == role].reset_index(drop=True) for role in ("probe", "gallery")
    )
    shown = _what_is_shown(probes, frames, people, network.grid)
    foreign = _draw_foreign(probes, seed)
    mixed = MixedCubes(cubes, _places(foreign, probes))
    encode = partial(
        encode_tracklets, batch_size=batch_size, progress=False, attention=True, device=device
    )
    names = {"dataset": dataset, "protocol": protocol, "trial": windows.trial.iloc[0]}
    networks = {
        "trained": network,
        "frames averaged": with_averaged_frames(network),
        "attention muted": with_muted_attention(network),
        **({"untrained": untrained[0]} if untrained else {}),
    }
    tables, looks = [], {}
    for name, each in networks.items():
        looks[name] = encode(each, cubes, as_windows(probes))
        others = encode(each, mixed, as_windows(probes))
        vectors = encode(each, cubes, as_windows(gallery)).embeddings
        result, with_others = (
            _judge(each.embeddings, vectors, probes, gallery, protocol, metric)
            for each in (looks[name], others)
        )
        rows = {
            **_where_and_when(looks[name].attention, looks[name].frame_weights, shown),
            **_as_occlusion_grows(result, shown.visible, visible_shares),
            **_somebody_else(probes, result, with_others, others.frame_weights, foreign),
        }
        table = pd.DataFrame(rows.values()).assign(**names, network=name, measure=list(rows))
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    table = table[[*names, "network", "measure", "value", "chance", "count"]]
    _print(table)
    of = looks["trained"]
    return table, _picture(probes, of.attention, of.frame_weights, shown, tracklets)


def _judge(
    probes: np.ndarray,
    gallery: np.ndarray,
    probe_rows: pd.DataFrame,
    gallery_rows: pd.DataFrame,
    protocol: str,
    metric: str,
) -> Evaluation:
    with one_thread():
        distances = DISTANCES[metric](probes, gallery)
        return evaluate_task(Task.of_tables(distances, probe_rows, gallery_rows, protocol))


def _what_is_shown(
    windows: pd.DataFrame, frames: pd.DataFrame, people: Root, grid: tuple[int, int]
) -> Seen:
    """Read what the windows' frames show, as shares of the network's cells."""
    truths = truths_of(set(windows.tracklet), frames, people)
    seen = Seen([], [], [])
    for tracklet, start, stop in windows[WINDOW].itertuples(index=False, name=None):
        truth = truths[tracklet]
        seen.person.append(cell_shares(truth.visible[start:stop], *grid))
        seen.occluder.append(cell_shares(truth.occluder[start:stop], *grid))
        seen.visible.append(truth.visible_share[start:stop])
    return seen


def _draw_foreign(probes: pd.DataFrame, seed: int) -> dict[str, Foreign]:
    of = probes.assign(length=probes.stop - probes.start).set_index("tracklet")
    return draw_foreign(of.length.to_dict(), of.person.to_dict(), of.camera.to_dict(), seed=seed)


def _places(foreign: dict[str, Foreign], probes: pd.DataFrame) -> dict[str, tuple[Window, int]]:
    """Count the frames from the tracklets' beginnings instead of the windows'."""
    first = dict(zip(probes.tracklet, probes.start, strict=True))
    return {
        name: (
            Window(
                run.tracklet,
                first[run.tracklet] + run.start,
                first[run.tracklet] + run.start + run.frames,
            ),
            first[name] + run.at,
        )
        for name, run in foreign.items()
    }


def _where_and_when(
    attention: list[np.ndarray], weights: list[np.ndarray], seen: Seen
) -> dict[str, Measured]:
    on_show = [np.nan_to_num(visible) > 0 for visible in seen.visible]
    hidden = [maps.any((1, 2)) for maps in seen.occluder]
    return {
        "attention on the person": weight_on(attention, seen.person, on_show),
        "attention on the occluder": weight_on(attention, seen.occluder, hidden),
        "pointing game": pointing_game(attention, seen.person, on_show),
        "weight and visibility": visibility_correlation(weights, seen.visible),
    }


def _as_occlusion_grows(
    result: Evaluation, visible: list[np.ndarray], shares: Sequence[float]
) -> dict[str, Measured]:
    """Return rank-1 and mAP of probes by the mean visible share of the person."""
    mean = np.array([np.nanmean(each) if np.isfinite(each).any() else 0.0 for each in visible])
    which = np.digitize(mean, shares)
    found = {}
    for index, name in enumerate(_bins(shares)):
        found |= _ranked(result, which == index, name)
    return found


def _bins(shares: Sequence[float]) -> list[str]:
    """Name the bins between some shares.

    Examples
    --------
    >>> _bins([0.9, 1.0])
    ['visible below 0.9', 'visible 0.9 to 1', 'visible 1']
    """
    sides = [f"{share:g}" for share in shares]
    between = [f"visible {low} to {high}" for low, high in pairwise(sides)]
    last = f"visible {sides[-1]}" + ("" if shares[-1] >= 1 else " to 1")
    return [f"visible below {sides[0]}", *between, last]


def _somebody_else(
    probes: pd.DataFrame,
    plain: Evaluation,
    mixed: Evaluation,
    weights: list[np.ndarray],
    foreign: dict[str, Foreign],
) -> dict[str, Measured]:
    """Return what a third of somebody else's frames costs, and their share of the weights."""
    chosen = probes.tracklet.isin(foreign).to_numpy()
    runs = [foreign[tracklet] for tracklet in probes.tracklet[chosen]]
    return {
        **_ranked(plain, chosen, "own frames"),
        **_ranked(mixed, chosen, "a third is somebody else"),
        "weight of somebody else": weight_on_foreign(
            [weights[place] for place in np.flatnonzero(chosen)], runs
        ),
    }


def _ranked(result: Evaluation, chosen: np.ndarray, name: str) -> dict[str, Measured]:
    chosen = chosen & result.valid
    count = int(chosen.sum())
    if not count:
        return {f"{measure}, {name}": Measured(np.nan, np.nan, 0) for measure in ("rank-1", "mAP")}
    first = float((result.first_ranks[chosen] == 1).mean())
    mean = float(result.average_precisions[chosen].mean())
    return {
        f"rank-1, {name}": Measured(first, np.nan, count),
        f"mAP, {name}": Measured(mean, np.nan, count),
    }


def _picture(
    probes: pd.DataFrame,
    attention: list[np.ndarray],
    weights: list[np.ndarray],
    seen: Seen,
    count: int,
) -> pd.DataFrame:
    """Return the attention on the probes of whom the most is hidden, and where they are."""
    least = [np.nanmin(each) if np.isfinite(each).any() else 0.0 for each in seen.visible]
    chosen = np.argsort(least, kind="stable")[:count]
    table = attention_table(
        probes.iloc[chosen],
        [attention[place] for place in chosen],
        [weights[place] for place in chosen],
        [(0, seen.person[place]) for place in chosen],
    )
    return table.drop(columns="channel").rename(columns={"response": "covered"})


def _print(table: pd.DataFrame) -> None:
    """Log the table, a line a measure."""
    names = table.network.unique()
    wide = table.pivot(index="measure", columns="network", values="value")
    facts = table[table.network == names[0]].set_index("measure")[["chance", "count"]]
    wide = wide.join(facts).loc[facts.index, [*names, "chance", "count"]]
    text = wide.to_string(float_format=lambda value: f"{value:.3f}", na_rep="")
    log.info("where and when, measured (%s):\n%s", table.trial.iloc[0], text)
