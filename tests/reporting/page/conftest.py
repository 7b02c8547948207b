"""A made-up page with one of everything."""

import io
import math

import pytest
from PIL import Image

from wherewhen.reporting.page import (
    Command,
    Curve,
    Dataset,
    Experiment,
    History,
    LengthMatrix,
    Number,
    Page,
    Picture,
    Row,
    Status,
    Trial,
)

LENGTHS = (1, 2, 4, 8, 16, 32, 64, 128)


def picture() -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((640, 300)).save(file, "PNG")
    return file.getvalue()


def own(name: str, rank_1: float, deviation: float | None, published: float | None, **more) -> Row:
    difference = None if published is None else rank_1 - published
    numbers = {
        "rank-1": Number(rank_1, deviation, published, difference),
        "rank-5": Number(rank_1 + 9.5, 1.25, None, None),
        "mAP": Number(rank_1 - 3, 1.5, None, None),
    }
    return Row(
        name,
        Status.FINISHED,
        "network, Euclidean",
        trials=[
            Trial(f"trial_0{k}", {"MLflow run": "5d41402abc4b2a76b9719d911017c592", "took": "40 s"})
            for k in range(1 if deviation is None else 3)
        ],
        numbers=numbers,
        parameters={"train.network.muted": True, "train.network.channels": [64]},
        facts={
            "data": "0123456789abcdef",
            "splits": "fedcba9876543210",
            "cubes": "00ff00ff00ff00ff",
            "network": "ff00ff00ff00ff00",
            "commit": "2a6fba2",
        },
        commands=(
            Command("All trials of this row", f"uv run kedro experiment run t --rows {name!r}"),
        ),
        **more,
    )


@pytest.fixture(scope="session")
def experiment() -> Experiment:
    rows = (
        own("GoogLeNet + FC-GRU", 51.04, 2.36, 54.0),
        own("Ours", 63.96, 1.04, 61.2),
        own("Ours, attention <muted> & more", 60.5, None, None),
        Row("RFA-net", Status.QUOTED, numbers={"rank-1": Number(published=49.3)}),
        Row("VGG16 + FC-GRU", Status.FAILED, "network, Euclidean", notes=["trial_01 failed"]),
        Row("HOG3D", Status.NOT_RUN, "hog3d, Euclidean"),
    )
    ranks = tuple(range(1, 21))
    curves = [
        Curve(
            row.name,
            ranks,
            [100 - (100 - row.numbers["rank-1"].mean) / math.sqrt(k) for k in ranks],
            [2 / k for k in ranks] if row.numbers["rank-1"].deviation else [],
            {1: 61.2, 5: 80.7, 20: 97.3} if row.name == "Ours" else {},
        )
        for row in rows[:3]
    ]
    histories = [
        History(
            row.name,
            range(0, 200, 2),
            [math.exp(-step / (30 + 9 * place)) for step in range(0, 200, 2)],
            range(0, 200, 20),
            [math.exp(-step / 60) + 0.1 for step in range(0, 200, 20)],
        )
        for place, row in enumerate(rows[:3])
    ]
    percent = [[10 * math.log2(a * b) + 20 - a / 8 for b in LENGTHS] for a in LENGTHS]
    return Experiment(
        "table_iii",
        "Table III: kernels and backbones",
        "Which kernel sizes, over which backbone, and does attention help?",
        rows,
        "two_camera",
        curves,
        histories,
        [LengthMatrix("Ours", LENGTHS, LENGTHS, percent)],
        [Picture(picture(), "image/png", "Loss over <lambda>.", 'A curve with a "minimum".')],
    )


@pytest.fixture(scope="session")
def page(experiment: Experiment) -> Page:
    facts = {"persons": "200", "data fingerprint": "0123456789abcdef"}
    paper = {"RFA-net": {"ilids_vid, rank-1 / rank-5": "49.3 / 76.8", "mars": "–"}}
    title = "Table V: <hand-made> descriptors"
    other = Experiment("table_v", title, rows=experiment.rows[3:4], elsewhere=paper)
    return Page(
        "Experiments",
        "22 November 2026, 19:40 UTC",
        {"wherewhen": "0.1.0", "Python": "3.11.9"},
        [
            Dataset("prid2011", "prid2011", facts, [experiment, other]),
            Dataset("synthetic", "base", {}, [experiment]),
        ],
        ["Two figures with pictures of people were left out."],
    )
