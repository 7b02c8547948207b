r"""Linking the tracklets of rendered sites into persons: linkages, thresholds, the constraint.

    OMP_NUM_THREADS=1 uv run python benchmarks/linking.py --sites FOLDER --json FILE

A site has 30 people whom the model that ships has never seen, in front of four cameras; each is
filmed by three of them, twice. What is rendered and embedded stays in ``--sites``. Three sites of
the world that the model knows (`population`, other seeds) choose each method's threshold, by
pairwise F1 and among those of the model's card; three more of it and three of an unknown world
(`held_out`) are reported, and the three known ones as one site of 90 people. Means and standard
deviations are over sites.

Rendered tracklets have no common clock. A timetable is drawn: at each moment a camera sees some
people, so that a tracklet overlaps with three of the same camera; with ten in the rows "crowded".
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import _record
import numpy as np
import pandas as pd
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist

from wherewhen.pretrained import folder_of, load_card
from wherewhen.recogniser import Recogniser
from wherewhen.retrieval.link_scores import link_scores
from wherewhen.retrieval.linking import link_tracklets, seen_together
from wherewhen.sessions import environment_parameters
from wherewhen.synthetic import SyntheticConfig, plan, write_set

SITE: dict[str, Any] = {"persons": 30, "cameras": 4, "views": 3, "tracklets": 2}
VALIDATION = [("population", seed) for seed in (101, 102, 103)]
REPORTED = {
    "known world": [("population", seed) for seed in (111, 112, 113)],
    "unknown world": [("held_out", seed) for seed in (121, 122, 123)],
}
SCORES = ("pairwise precision", "pairwise recall", "pairwise F1", "IDF1")


class Site(NamedTuple):
    """Tracklets of one site."""

    vectors: np.ndarray
    """[N, E]."""
    cameras: np.ndarray
    persons: np.ndarray
    seed: int


def together(sites: list[Site]) -> Site:
    """Return the people of several sites as those of one."""
    persons = [np.char.add(f"{each.seed} ", each.persons) for each in sites]
    vectors, cameras = ([each[part] for each in sites] for part in (0, 1))
    return Site(*map(np.concatenate, (vectors, cameras, persons)), sites[0].seed)


def site(folder: Path, environment: str, seed: int) -> Site:
    """Read a site; render and embed it if it was not."""
    file = folder / f"{environment}_{seed}.npz"
    if not file.exists():
        asked = environment_parameters(environment)["synthesise"] | SITE | {"seed": seed}
        root = write_set(plan(SyntheticConfig.model_validate(asked)), folder)
        places = sorted({path.parent for path in root.glob("*/*/*/*") if path.is_file()})
        recogniser = Recogniser.from_pretrained("wherewhen")
        vectors = recogniser.project(recogniser.embed(places, role="gallery", progress=True))
        np.savez(
            file, vectors=vectors, names=[path.relative_to(root).as_posix() for path in places]
        )
    held = np.load(file)
    vectors, names = held["vectors"], [name.split("/") for name in held["names"]]
    cameras, persons = (np.array([name[part] for name in names]) for part in (0, 1))
    return Site(vectors, cameras, persons, seed)


def apart(of: Site, others: float) -> np.ndarray:
    """Draw a timetable, and return the pairs [N, N] of one camera at one time.

    Tracklets last 1 s, and start at random in a time in which `others` of the camera overlap with
    each on the average; no person is in one camera twice at once.
    """
    generator, start = np.random.default_rng(of.seed), np.full(len(of.persons), np.nan)
    least = 2 * SITE["tracklets"]  # or there may be no room for a person's next tracklet
    for camera in np.unique(of.cameras):
        rows = np.flatnonzero(of.cameras == camera)
        for row in rows:
            own = start[(of.cameras == camera) & (of.persons == of.persons[row])]
            while np.isnan(start[row]):
                drawn = generator.uniform(0, max(least, 2 * len(rows) / others))
                if not (np.abs(own - drawn) < 1).any():
                    start[row] = drawn
    return seen_together(of.cameras, start, start + 1)


def linked(linkage: str) -> Callable[..., np.ndarray]:
    """Return a method: agglomerative clustering."""
    return lambda *arguments: link_tracklets(*arguments, linkage)


def components(distances: np.ndarray, threshold: float, never: np.ndarray) -> np.ndarray:
    """Group whoever is connected by pairs below the threshold (single linkage)."""
    return connected_components((distances < threshold) & ~never)[1]


def nearest(distances: np.ndarray, threshold: float, never: np.ndarray) -> np.ndarray:
    """Connect each tracklet with its nearest one, if that is below the threshold."""
    allowed = np.where(never | np.eye(len(distances), dtype=bool), np.inf, distances)
    joined = (allowed == allowed.min(axis=1, keepdims=True)) & (allowed < threshold)
    return connected_components(joined, directed=False)[1]


METHODS = {
    "average linkage": linked("average"),
    "complete linkage": linked("complete"),
    "nearest neighbours": nearest,
    "connected components": components,
}
TIMETABLES = {"no times": None, "times": 3.0, "times, crowded": 10.0}


def scores(sites: list[Site], method: str, times: str, threshold: float) -> pd.DataFrame:
    """Return the scores of each site as rows."""
    others, rows = TIMETABLES[times], []
    for each in sites:
        distances = cdist(each.vectors, each.vectors)
        never = np.zeros_like(distances, dtype=bool) if others is None else apart(each, others)
        groups = METHODS[method](distances, threshold, never)
        rows.append(link_scores(each.persons, groups))
    return pd.DataFrame(rows)


def rows(folder: Path, thresholds: dict[float, float]) -> Iterator[dict[str, Any]]:
    """Choose thresholds on the validation sites, and yield the scores of all sites."""
    sets = {"validation": VALIDATION, **REPORTED}
    sites = {name: [site(folder, *each) for each in listed] for name, listed in sets.items()}
    sites["known world, 90 people"] = [together(sites["known world"])]
    for method in METHODS:
        for times in TIMETABLES:
            tried = {
                rate: scores(sites["validation"], method, times, threshold)
                for rate, threshold in thresholds.items()
            }
            best = max(tried, key=lambda rate: tried[rate]["pairwise F1"].mean())
            for name, of in sites.items():
                for rate in thresholds:
                    found = scores(of, method, times, thresholds[rate])
                    yield {
                        "sites": name,
                        "method": method,
                        "times": times,
                        "false match rate": rate,
                        "chosen": rate == best,
                        **{score: found[score].to_list() for score in SCORES},
                    }


def table(found: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of the table: each method with the threshold that was chosen."""
    yield f"| sites | method | times | false match rate | {' | '.join(SCORES)} |"
    yield f"|---|---|---|---:|{'---:|' * len(SCORES)}"
    for row in found:
        if row["chosen"]:
            cells = (_record.spread([100 * value for value in row[score]]) for score in SCORES)
            rate = f"{100 * row['false match rate']:g} %"
            yield f"| {' | '.join((row['sites'], row['method'], row['times'], rate, *cells))} |"


def main() -> None:
    """Measure, print the table and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=Path, required=True, help="where rendered sites are kept")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    card = load_card(folder_of("wherewhen"))
    levels = card.calibration(card.metric).thresholds
    found = list(rows(arguments.sites, {at.false_match_rate: at.distance for at in levels}))
    made = _record.record("linking", found, ("torch", "numpy", "scipy"), metric=card.metric)
    _record.save(arguments.json, made)
    sys.stdout.write("\n".join(table(found)) + "\n")


if __name__ == "__main__":
    main()
