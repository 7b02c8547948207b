"""A made-up page with one of everything."""

import io
from math import nan

import pandas as pd
import pytest
from PIL import Image

from wherewhen.reporting.page.model import Dataset, Experiment, Page, Picture, Row, Status

COLUMNS = ["row", "measure", "mean", "deviation", "published", "difference"]


def picture() -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((640, 300)).save(file, "PNG")
    return file.getvalue()


def own(name: str, trials: int) -> Row:
    run = {"made in MLflow run": "5d41402abc4b2a76b9719d911017c592", "network": ""}
    return Row(
        name,
        Status.FINISHED,
        "",
        "network + Euclidean",
        trials={f"trial_0{k}": run for k in range(trials)},
        parameters={"train.network.muted": True, "train.network.channels": [64]},
        facts={"data": "0123456789abcdef", "cubes": "", "commit": "2a6fba2"},
        commands={"All trials of this row": f"uv run kedro experiment run t --rows {name!r}"},
    )


@pytest.fixture(scope="session")
def experiment() -> Experiment:
    numbers = [
        ("GoogLeNet + FC-GRU", "rank-1", 51.04, 2.36, 54.0, -2.96),
        ("Ours", "rank-1", 63.96, 1.04, 61.2, 2.76),
        ("Ours, attention <muted> & more", "rank-1", 64.04, nan, 64.08, -0.04),
        ("RFA-net", "rank-1", nan, nan, 49.3, nan),
        ("VGG16 + FC-GRU", "rank-1", nan, nan, nan, nan),
        ("HOG3D", "rank-1", nan, nan, nan, nan),
    ]
    numbers += [(row, "rank-20", nan, nan, nan, nan) for row, *_ in numbers]
    numbers += [(row, "mAP", mean - 3, 1.5, nan, nan) for row, _, mean, *_ in numbers[:3]]
    return Experiment(
        "table_iii",
        "Table III: kernels and backbones",
        "Which kernel sizes, over which backbone, and does attention help?",
        pd.DataFrame(numbers, columns=COLUMNS),
        ["Protocol two_camera."],
        [
            own("GoogLeNet + FC-GRU", 3),
            own("Ours", 3),
            own("Ours, attention <muted> & more", 1),
            Row("VGG16 + FC-GRU", Status.FAILED, "It failed.", "network + Euclidean"),
            Row("HOG3D", Status.NOT_RUN, "", "HOG3D + Euclidean"),
        ],
        [Picture(picture(), "Loss over <lambda>.", 'A curve with a "minimum".')],
    )


@pytest.fixture(scope="session")
def page(experiment: Experiment) -> Page:
    facts = {"persons": "200", "data fingerprint": "0123456789abcdef"}
    paper = {"RFA-net": {"ilids_vid, rank-1 / rank-5": "49.3 / 76.8", "mars": "–"}}
    title = "Table V: <hand-made> descriptors"
    numbers = experiment.numbers[experiment.numbers.row == "Ours"]
    other = Experiment("table_v", title, "", numbers, rows=experiment.rows[1:2], elsewhere=paper)
    return Page(
        "22 November 2026, 19:40 UTC",
        {"wherewhen": "0.1.0", "Python": "3.11.9"},
        [
            Dataset("prid2011", "prid2011", facts, [experiment, other]),
            Dataset("synthetic", "base", {}, [experiment]),
        ],
        ["Two figures with pictures of people were left out."],
    )
