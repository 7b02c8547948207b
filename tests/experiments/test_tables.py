import pandas as pd
import pytest

from wherewhen.experiments.published import SOURCE
from wherewhen.experiments.rows import Request, resolve
from wherewhen.experiments.tables import (
    captions,
    comparison,
    format_comparison,
    format_orientation,
    orientation,
    show,
    to_markdown,
)
from wherewhen.tracking import client, find_runs

ROWS = {
    "max": {"published": "Max pooling", "metric": "cosine", "parameters": {"embed.clips": 1}},
    "average": {"metric": "cosine", "note": "of mine"},
    "Fisher": {"published": "Fisher vector pooling", "quoted": True},
    "not run": {"metric": "lfda", "parameters": {"embed.clips": 3}},
}
HERE = Request("prid2011")


@pytest.fixture(scope="module")
def pooling(table):
    return table(ROWS, table="IV")


@pytest.fixture(scope="module")
def rows(project, pooling, finish):
    """Two finished trials of the first row, one of the second."""
    rows = resolve(pooling, HERE)
    for row, trial, rank_1 in (("max", 0, 0.5), ("max", 1, 0.7), ("average", 0, 0.25)):
        finish(rows[row], f"trial_0{trial}", rank_1)
    return resolve(pooling, HERE)


def line(table, row, measure="rank-1"):
    (found,) = table[(table.row == row) & (table.measure == measure)].to_dict("records")
    return found


def test_on_a_set_that_the_paper_does_not_know_ours_stand_alone(pooling, rows):
    table = comparison(pooling, rows, "synthetic")
    assert list(table.row.unique()) == list(ROWS)
    ours = line(table, "max")
    assert ours["mean"] == pytest.approx(60)
    assert ours["deviation"] == pytest.approx(100 * 0.02**0.5)  # of 0.5 and 0.7, ddof 1
    assert ours["trials"] == 2 and ours["protocol"] == "single_match"
    assert pd.isna(ours["published"]) and pd.isna(ours["difference"])


def test_published_figures_stand_beside_ours(pooling, rows):
    table = comparison(pooling, rows, "prid2011")
    ours = line(table, "max")
    assert ours["published"] == 72.4
    assert ours["difference"] == pytest.approx(60 - 72.4)
    assert pd.isna(line(table, "max", "mAP")["published"])
    single = line(table, "average")
    assert pd.isna(single["deviation"]) and pd.isna(single["published"])
    quoted = line(table, "Fisher")
    assert quoted["quoted"] and quoted["published"] == 79.2 and pd.isna(quoted["mean"])
    text = format_comparison(table).set_index("row")
    assert text.loc["max", "rank-1"] == "60.0 ± 14.1 (72.4, -12.4)"
    assert text.loc["average", "rank-1"] == "25.0"
    assert text.loc["Fisher (quoted)", "rank-1"] == "(79.2)"
    assert text.loc["not run", "rank-1"] == "–"
    assert text.trials.to_list() == ["2", "1", "–", "0"]
    said = "\n".join(captions(pooling, table, "prid2011"))
    assert "single_match" in said and "table IV" in said and "average: of mine" in said


def test_a_misprint_is_noted_where_it_is_shown(pooling):
    table = comparison(pooling, {}, "ilids_vid")
    assert list(table.row.unique()) == ["Fisher"]
    theirs = orientation(pooling)
    noted = theirs[(theirs.row == "max") & (theirs.note != "")]
    assert noted[["dataset", "measure"]].to_numpy().tolist() == [["ilids_vid", "rank-5"]]


def test_orientation_has_all_three_sets(pooling):
    theirs = orientation(pooling)
    assert set(theirs.dataset) == {"ilids_vid", "prid2011", "mars"}
    assert set(theirs.row) == {"max", "Fisher"}
    assert len(theirs) == 2 * 3 * 4


def test_orientation_is_a_line_a_row(pooling):
    text = format_orientation(orientation(pooling)).set_index("row")
    assert list(text.columns) == ["ilids_vid", "prid2011", "mars"]
    assert text.index.to_list() == ["max", "Fisher"]
    assert text.loc["max", "prid2011"] == "72.4 / 90.8 / 96.0 / 96.2"


def test_markdown_has_a_line_a_row(pooling, rows):
    text = to_markdown(comparison(pooling, rows, "prid2011")).splitlines()
    assert text[0].startswith("| row | trials | rank-1 |")
    assert len(text) == 2 + len(ROWS)
    assert {part.count("|") for part in text} == {text[0].count("|")}


@pytest.mark.parametrize(("source", "expected"), [("mars", 61.4), ("prid2011", None)])
def test_figures_of_another_training_set_are_no_match(project, table, finish, source, expected):
    said = {"ours": {"published": "Ours", "metric": "cosine"}}
    across = table(said, table="VIII", published_from="mars", cross_dataset=True)
    request = Request("prid2011", trained_on=source)
    finish(resolve(across, request)["ours"], "trial_00")
    found = line(comparison(across, resolve(across, request), "prid2011"), "ours")
    assert found["trials"] == 1
    assert found["published"] == expected if expected else pd.isna(found["published"])


def test_a_table_is_shown_and_logged(pooling, rows, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    table = show(pooling, HERE)
    printed = capsys.readouterr().out
    assert "60.0 ± 14.1 (72.4, -12.4)" in printed
    assert SOURCE in " ".join(printed.split())
    (run,) = find_runs("prid2011", {"experiment": "mine", "stage": "table"})
    assert run.info.run_name == "mine · table · prid2011" and run.info.status == "FINISHED"
    logged = pd.read_csv(client().download_artifacts(run.info.run_id, "mine.csv"))
    pd.testing.assert_series_equal(logged["mean"], table["mean"])


def test_a_row_alone_is_shown_with_the_trials_that_there_are(pooling, rows):
    table = show(pooling, Request("prid2011", rows=("average",)))
    assert table.row.unique().tolist() == ["average"]
    assert line(table, "average")["trials"] == 1
