"""A made-up page with one of everything."""

import io
import math

import pandas as pd
import pytest
from PIL import Image

from wherewhen.reporting.page.model import Dataset, Experiment, Number, Page, Picture, Row, Status
from wherewhen.reporting.page.plots import cmc_plot, convergence_plot, length_plot

LENGTHS = (1, 2, 4, 8, 16, 32, 64, 128)


def picture() -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((640, 300)).save(file, "PNG")
    return file.getvalue()


def own(name: str, rank_1: float, deviation: float, published: float) -> Row:
    numbers = {
        "rank-1": Number(rank_1, deviation, published, rank_1 - published),
        "rank-5": Number(rank_1 + 9.5, 1.25),
        "mAP": Number(rank_1 - 3, 1.5),
    }
    return Row(
        name,
        Status.FINISHED,
        "network, Euclidean",
        trials={
            f"trial_0{k}": {"MLflow run": "5d41402abc4b2a76b9719d911017c592", "took": "40 s"}
            for k in range(1 if math.isnan(deviation) else 3)
        },
        numbers=numbers,
        parameters={"train.network.muted": True, "train.network.channels": [64]},
        facts={
            "data": "0123456789abcdef",
            "splits": "fedcba9876543210",
            "cubes": "00ff00ff00ff00ff",
            "network": "ff00ff00ff00ff00",
            "commit": "2a6fba2",
        },
        commands={"All trials of this row": f"uv run kedro experiment run t --rows {name!r}"},
    )


@pytest.fixture(scope="session")
def experiment() -> Experiment:
    rows = (
        own("GoogLeNet + FC-GRU", 51.04, 2.36, 54.0),
        own("Ours", 63.96, 1.04, 61.2),
        own("Ours, attention <muted> & more", 60.5, math.nan, math.nan),
        Row("RFA-net", Status.QUOTED, numbers={"rank-1": Number(published=49.3)}),
        Row("VGG16 + FC-GRU", Status.FAILED, "network, Euclidean", notes=["trial_01 failed"]),
        Row("HOG3D", Status.NOT_RUN, "hog3d, Euclidean"),
    )
    names = [row.name for row in rows]
    return Experiment(
        "table_iii",
        "Table III: kernels and backbones",
        "Which kernel sizes, over which backbone, and does attention help?",
        rows,
        "two_camera",
        [
            cmc_plot(curves(rows[:3]), names),
            convergence_plot(losses(names[:3])),
            length_plot("Ours", lengths()),
        ],
        [Picture(picture(), "Loss over <lambda>.", 'A curve with a "minimum".')],
    )


def curves(rows: tuple[Row, ...]) -> pd.DataFrame:
    """Return curves of two trials each, of one where the row has no deviation."""
    lines = []
    for row in rows:
        rank_1 = row.numbers["rank-1"]
        for k in range(1, 21):
            mean = 100 - (100 - rank_1.mean) / math.sqrt(k)
            apart = 0 if math.isnan(rank_1.deviation) else math.sqrt(2) / k  # a deviation of 2 / k
            for trial, value in {"trial_00": mean - apart, "trial_01": mean + apart}.items():
                if apart or trial == "trial_00":
                    lines.append((row.name, False, trial, k, value / 100))
    published = {1: 0.612, 5: 0.807, 20: 0.973}
    lines += [("Ours", True, "published", *point) for point in published.items()]
    return pd.DataFrame(lines, columns=["row", "quoted", "trial", "rank", "value"])


def losses(names: list[str]) -> pd.DataFrame:
    lines = [
        (name, "trial_00", step, math.exp(-step / (30 + 9 * place)),
         math.exp(-step / 60) + 0.1 if step % 20 == 0 else math.nan)
        for place, name in enumerate(names)
        for step in range(0, 200, 2)
    ]  # fmt: skip
    return pd.DataFrame(lines, columns=["row", "trial", "epoch", "loss", "validation_loss"])


def lengths() -> pd.DataFrame:
    lines = [
        ("trial_00", a, b, (10 * math.log2(a * b) + 20 - a / 8) / 100)
        for a in LENGTHS
        for b in LENGTHS
    ]
    return pd.DataFrame(lines, columns=["trial", "probe_frames", "gallery_frames", "rank-1"])


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
