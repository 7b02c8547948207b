"""Numbers that stand in several places are the same in all of them."""

import json
from statistics import mean, stdev

import pytest


def rows_of(page, columns):
    """Return the rows of a page's tables with so many columns, their cells without stars."""
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    rows = [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in rows if len(row) == columns]


def cell(scores):
    """Return rank-1 and mAP of trials as the tables have them."""
    rank_1, mean_ap = ([100 * score[i] for score in scores] for i in (0, 1))
    deviation = f" ± {stdev(rank_1):.1f}" if len(rank_1) > 1 else ""
    return f"{mean(rank_1):.1f}{deviation} ({mean(mean_ap):.1f})"


NAMES = {  # in the file: in the table with 40 persons
    "base: 1,000 persons": "base: 40 persons",
    "mean-pooled cubes, 1000 persons": "mean-pooled cubes, 40 persons",
    "row-pooled cubes, 1000 persons": "row-pooled cubes, 40 persons",
}


@pytest.mark.parametrize(
    ("results", "parts", "names", "count"),
    [("learning", ("validation", "test"), {}, 53), ("learning_few", ("test",), NAMES, 5)],
)
def test_tables_of_learning_follow_from_the_recorded_results(
    results, parts, names, count, repository
):
    recorded = json.loads((repository / f"docs/results/{results}.json").read_text())["rows"]
    columns = [(part, metric) for metric in ("cosine", "kissme", "lfda") for part in parts]
    written = rows_of(repository / "docs/explanation/recipe.md", 2 + len(columns))
    tables = {name: cells for name, *cells in written}
    shown = {
        row["variant"] for row in recorded if names.get(row["variant"], row["variant"]) in tables
    }
    assert len(shown) == count
    for variant in shown:
        trials = [row for row in recorded if row["variant"] == variant]
        expected = [cell([row[part][metric] for row in trials]) for part, metric in columns]
        assert tables[names.get(variant, variant)] == [str(len(trials)), *expected]


@pytest.mark.parametrize(
    ("results", "page", "columns", "count"),
    [("transfer_held_out", "learning.md", 4, 12), ("transfer_demonstration", "results.md", 5, 10)],
)
def test_tables_of_transfer_follow_from_the_recorded_results(
    results, page, columns, count, repository
):
    recorded = json.loads((repository / f"docs/results/{results}.json").read_text())["rows"]
    trials = {}
    for row in recorded:
        key = row["features"], row["metric"], row["learned on"]
        trials.setdefault(key, []).append((100 * row["rank-1"], 100 * row["mAP"]))
    expected = {
        tuple(f"{mean(each):.1f} ± {stdev(each):.1f}" for each in zip(*scores, strict=True))
        for scores in trials.values()
    }
    written = rows_of(repository / "docs/explanation" / page, columns)
    assert len([row for row in written if tuple(row[-2:]) in expected]) == count


def test_the_table_of_the_readme_is_a_part_of_the_full_one(repository):
    full = {
        (features, metric): (rank_1, mean_ap)
        for features, metric, rank_1, *_, mean_ap in rows_of(
            repository / "docs/explanation/results.md", 7
        )
    }
    shown = [row for row in rows_of(repository / "README.md", 4) if "±" in row[2]]
    assert len(shown) == 6
    for features, metric, *numbers in shown:
        assert full[features.removesuffix(", no network"), metric] == tuple(numbers)
