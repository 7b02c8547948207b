import pandas as pd
import pytest
from wherewhen.experiments.results import Results

from wherewhen.experiments.config import read_experiments
from wherewhen.experiments.tables import (
    captions,
    comparison,
    format_comparison,
    format_orientation,
    orientation,
    to_markdown,
)

ROWS = {
    "max": {"published": "Max pooling", "metric": "cosine"},
    "average": {"metric": "cosine", "note": "of mine"},
    "Fisher": {"published": "Fisher vector pooling", "quoted": True},
    "not run": {"metric": "lfda"},
}


@pytest.fixture
def experiment():
    said = {"title": "Pooling", "table": "IV", "rows": ROWS}
    return read_experiments({"e": said})["e"]


@pytest.fixture
def variants(make_variant, finish):
    ran, single, unfinished = (
        make_variant(embed={"features": ["network"], "frames": n}) for n in (1, 2, 3)
    )
    finish(ran, "trial_00", rank_1=0.5)
    finish(ran, "trial_01", rank_1=0.7)
    finish(single, "trial_00", rank_1=0.25)
    return {"max": ran, "average": single, "not run": unfinished}


def line(table, row, measure="rank-1"):
    (found,) = table[(table.row == row) & (table.measure == measure)].to_dict("records")
    return found


def test_on_a_set_that_the_paper_does_not_know_ours_stand_alone(experiment, results, variants):
    table = comparison(experiment, results, variants)
    assert list(table.row.unique()) == list(ROWS)
    ours = line(table, "max")
    assert ours["mean"] == pytest.approx(60)
    assert ours["deviation"] == pytest.approx(100 * 0.02**0.5)  # of 0.5 and 0.7, ddof 1
    assert ours["trials"] == 2 and ours["protocol"] == "single_match"
    assert pd.isna(ours["published"]) and pd.isna(ours["difference"])


def on(results, dataset):
    """Call the finished trials another data set's."""
    for layer in (results.root / "data").iterdir():
        (layer / "synthetic").rename(layer / dataset)
    return Results(results.root, dataset)


def test_published_figures_stand_beside_ours(experiment, results, variants):
    table = comparison(experiment, on(results, "prid2011"), variants)
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
    said = "\n".join(captions(experiment, table, "prid2011"))
    assert "single_match" in said and "table IV" in said and "average: of mine" in said


def test_a_misprint_is_noted_where_it_is_shown(experiment, results):
    table = comparison(experiment, Results(results.root, "ilids_vid"), {})
    assert list(table.row.unique()) == ["Fisher"]
    theirs = orientation(experiment)
    noted = theirs[(theirs.row == "max") & (theirs.note != "")]
    assert noted[["dataset", "measure"]].to_numpy().tolist() == [["ilids_vid", "rank-5"]]


def test_orientation_has_all_three_sets(experiment):
    theirs = orientation(experiment)
    assert set(theirs.dataset) == {"ilids_vid", "prid2011", "mars"}
    assert set(theirs.row) == {"max", "Fisher"}
    assert len(theirs) == 2 * 3 * 4


def test_orientation_is_a_line_a_row(experiment):
    text = format_orientation(orientation(experiment)).set_index("row")
    assert list(text.columns) == ["ilids_vid", "prid2011", "mars"]
    assert text.index.to_list() == ["max", "Fisher"]
    assert text.loc["max", "prid2011"] == "72.4 / 90.8 / 96.0 / 96.2"


def test_markdown_has_a_line_a_row(experiment, results, variants):
    text = to_markdown(comparison(experiment, results, variants)).splitlines()
    assert text[0].startswith("| row | trials | rank-1 |")
    assert len(text) == 2 + len(ROWS)
    assert {part.count("|") for part in text} == {text[0].count("|")}


def test_figures_of_another_training_set_are_no_match(make_variant, results, finish):
    import dataclasses

    said = {"title": "Across", "table": "VIII", "published_from": "mars"}
    said["rows"] = {"ours": {"published": "Ours", "metric": "cosine"}}
    experiment = read_experiments({"e": said})["e"]
    here = make_variant()
    finish(here, "trial_00")
    there = on(results, "prid2011")
    for dataset, expected in (("mars", 61.4), ("synthetic", None)):
        source = dataclasses.replace(here, dataset=dataset)
        table = comparison(experiment, there, {"ours": dataclasses.replace(here, source=source)})
        published = line(table, "ours")["published"]
        assert published == expected if expected else pd.isna(published)
