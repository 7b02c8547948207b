"""Summaries over trials, checked against sums done by hand."""

import math
import subprocess
import sys

import pandas as pd
import pytest
from rich.console import Console

from wherewhen.reporting.checks import SCORE_COLUMNS
from wherewhen.reporting.tables import (
    MEASURES,
    best_and_worst,
    console_table,
    failures,
    first_matches,
    format_summary,
    summarise,
)


def score_table(values):
    """Scores of ``{(features, metric): {measure: [value of trial 0, of trial 1, ...]}}``."""
    rows = [
        ("pets", "two_camera", f"trial_{trial:02d}", features, metric, measure, value)
        for (features, metric), measures in values.items()
        for measure, trials in measures.items()
        for trial, value in enumerate(trials)
    ]
    return pd.DataFrame(rows, columns=SCORE_COLUMNS)


@pytest.fixture
def scores():
    def same(*values):
        return {measure: list(values) for measure in MEASURES}

    return score_table(
        {
            ("network", "lfda"): same(0.8, 0.9),
            ("network", "cosine"): same(0.7, 0.7) | {"rank-1": [0.6, 0.8], "rank-7": [0.9, 0.9]},
            ("mean_pooled", "cosine"): same(0.3, 0.5),
        }
    )


def test_mean_and_deviation_over_trials(scores):
    summary = summarise(scores).set_index(["features", "metric"])
    row = summary.loc[("network", "cosine")]
    assert row["trials"] == 2
    assert row["rank-1"] == pytest.approx(0.7)
    assert row["rank-1 std"] == pytest.approx(math.sqrt(0.02))  # (0.1^2 + 0.1^2) / (2 - 1)
    assert row["mAP std"] == pytest.approx(0)
    assert not any("rank-7" in column for column in summary.columns)


def test_rows_are_in_a_sensible_order(scores):
    summary = summarise(scores)
    assert list(zip(summary["features"], summary["metric"], strict=True)) == [
        ("mean_pooled", "cosine"),
        ("network", "cosine"),
        ("network", "lfda"),
    ]


def test_one_trial_has_no_deviation(scores):
    summary = summarise(scores[scores["trial"] == "trial_00"])
    assert summary["rank-1 std"].isna().all()
    assert format_summary(summary)["rank-1"].tolist() == ["30.0", "60.0", "80.0"]


def test_a_rank_beyond_the_gallery_is_a_dash(scores):
    text = format_summary(summarise(scores[scores["measure"] != "rank-20"]))
    assert text["rank-20"].tolist() == ["–"] * 3


def test_a_measure_missing_in_one_trial_is_refused(scores):
    lost = scores[(scores["measure"] == "mAP") & (scores["trial"] == "trial_01")].index[0]
    with pytest.raises(ValueError, match="mAP of network, lfda is missing in trial_01"):
        summarise(scores.drop(index=lost))


def test_text_is_percent_and_names_are_for_people(scores):
    text = format_summary(summarise(scores))
    assert text.columns.tolist() == ["features", "metric", *MEASURES, "trials"]
    assert text.iloc[0].tolist() == ["mean-pooled cubes", "cosine", *["40.0 ± 14.1"] * 5, "2"]


def test_format_needs_a_summary(scores):
    with pytest.raises(ValueError, match="summary: column trials"):
        format_summary(scores)


def test_equal_as_printed_is_equally_best():
    same = {measure: [0.50001] for measure in MEASURES}
    scores = score_table(
        {("network", "cosine"): same, ("network", "lfda"): {m: [0.5] for m in MEASURES}}
    )
    assert printed(console_table(summarise(scores), "d", "p"), coloured=True).count("1m50.0") == 10


def test_console_table_says_where_numbers_come_from(scores):
    text = printed(console_table(summarise(scores), "pets", "two_camera"))
    assert "Re-identification on pets" in text
    assert "protocol two_camera, mean ± standard deviation over 2 trials" in text
    assert "mean-pooled cubes" in text
    assert "40.0 ± 14.1" in text


def test_console_table_fits_eighty_columns(scores):
    text = printed(console_table(summarise(scores), "pets", "two_camera"))
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_console_table_has_the_best_in_bold(scores):
    text = printed(console_table(summarise(scores), "p", "q"), coloured=True)
    assert text.count("\x1b[1m85.0 ± 7.1\x1b[0m") == 5
    assert "\x1b[1m70.0" not in text


def test_console_table_of_one_trial_says_so(scores):
    summary = summarise(scores[scores["trial"] == "trial_00"])
    assert "one trial (no deviation)" in printed(console_table(summary, "pets", "two_camera"))


def test_console_table_counts_uneven_trials(scores):
    network = scores["features"] == "network"
    uneven = scores[network | (scores["trial"] == "trial_00")]
    assert "over 1 to 2 trials" in printed(console_table(summarise(uneven), "pets", "two_camera"))


@pytest.fixture
def detailed(scores):
    """Two trials of one row, with what `wherewhen.retrieval.score` measures besides."""
    further = {
        "mAP-trapezoid": [0.5, 0.7],
        "rank-1-low": [0.5, 0.7],
        "rank-1-high": [0.7, 0.9],
        "eer": [0.03, 0.05],
        "probes": [1980, 1980],
        "probes-without-match": [140, 140],
        "ties": [3, 4],
    }
    return score_table({("network", "kissme"): {m: [0.6, 0.8] for m in MEASURES} | further})


def test_what_else_is_measured_follows_in_the_summary(detailed):
    row = summarise(detailed).iloc[0]
    assert row["mAP-trapezoid"] == pytest.approx(0.6)
    assert row["mAP-trapezoid std"] == pytest.approx(math.sqrt(0.02))
    assert row["probes"] == 1980
    assert "probes std" not in row.index
    assert "ece" not in row.index


def test_a_further_measure_that_a_trial_lacks_has_no_mean(detailed):
    lost = detailed[(detailed["measure"] == "eer") & (detailed["trial"] == "trial_01")].index
    assert math.isnan(summarise(detailed.drop(index=lost)).iloc[0]["eer"])


def test_console_table_says_what_a_reader_should_know_besides(detailed):
    text = printed(console_table(summarise(detailed), "mars", "query_excluded", "trapezoid"))
    text = " ".join(text.split())
    assert "mAP-trapezoid" in text
    assert "60.0 ± 14.1" in text
    assert (
        "1,980 probes a trial, 140 without a true match (in no mean); true matches tied with "
        "others: 3.5"
    ) in text
    assert (
        "network + KISSME: rank-1 60.0 to 80.0 by bootstrap over a trial's probes, equal error "
        "rate 4.0"
    ) in text


def test_what_was_re_ranked_stands_under_what_was_not(scores):
    again = scores[scores["metric"] == "lfda"].assign(metric="lfda-re-ranked")
    text = printed(console_table(summarise(pd.concat([scores, again])), "pets", "two_camera"))
    (row,) = [line for line in text.splitlines() if "re-ranked" in line]
    assert row.startswith("    re-ranked ")
    assert "LFDA" in text.splitlines()[text.splitlines().index(row) - 1]


def test_the_parts_of_a_fusion_take_several_lines(scores):
    name = "network/cosine and row_pooled/kissme"
    fused = scores[scores["metric"] == "lfda"].assign(features="fusion", metric=name)
    text = printed(console_table(summarise(pd.concat([scores, fused])), "pets", "two_camera"))
    lines = text.splitlines()
    place = next(number for number, line in enumerate(lines) if line.strip() == "fusion")
    assert lines[place + 1].startswith("  network (cosine)  ")
    assert [line.rstrip() for line in lines[place + 2 : place + 4]] == [
        "  + row-pooled",
        "  cubes (KISSME)",
    ]
    assert max(map(len, lines)) <= 80


def test_console_table_names_the_definition_of_map(detailed):
    text = printed(console_table(summarise(detailed), "d", "p", "trapezoid"))
    assert "mAP-trapezoid" in text and "mAP " not in text


def test_names_with_brackets_are_no_markup(scores):
    scores["features"] = scores["features"].replace("network", "[red]wide")
    assert "[red]wide" in printed(console_table(summarise(scores), "pets", "two_camera"))


def printed(table, coloured=False):
    console = Console(width=80, color_system="standard" if coloured else None)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


@pytest.fixture
def rankings():
    """Five probes with their match at ranks 1, 3, 1, 2 and nowhere."""
    rows = []
    for probe, match, step in [("a", 1, 0.3), ("b", 3, 0.1), ("c", 1, 0.2), ("d", 2, 0.1)]:
        rows += [(probe, rank, f"g{rank}", step * rank, rank == match) for rank in (3, 1, 2)]
    rows += [("e", 1, "g1", 0.1, False)]
    table = pd.DataFrame(rows, columns=["probe", "rank", "gallery", "distance", "correct"])
    return table.assign(trial="trial_00", features="network", metric="cosine")


def test_first_matches_best_first_and_of_equal_ranks_the_nearer(rankings):
    matches = first_matches(rankings)
    assert matches["probe"].tolist() == ["c", "a", "d", "b"]
    assert matches["rank"].tolist() == [1, 1, 2, 3]
    assert matches["distance"].tolist() == pytest.approx([0.2, 0.3, 0.2, 0.3])


def test_only_the_first_of_several_matches_counts(rankings):
    rankings.loc[rankings["probe"] == "b", "correct"] = True
    assert first_matches(rankings).set_index("probe").loc["b", "rank"] == 1


def test_best_and_worst_do_not_overlap(rankings):
    best, worst = best_and_worst(rankings, count=3)
    assert best["probe"].tolist() == ["c", "a"]
    assert worst["probe"].tolist() == ["b", "d"]
    best, worst = best_and_worst(rankings, count=1)
    assert (best["probe"].tolist(), worst["probe"].tolist()) == (["c"], ["b"])


def test_a_single_probe_is_best_and_worst(rankings):
    best, worst = best_and_worst(rankings[rankings["probe"] == "d"], count=2)
    assert best["probe"].tolist() == worst["probe"].tolist() == ["d"]


def test_rankings_of_two_metrics_are_refused(rankings):
    rankings.loc[0, "metric"] = "lfda"
    with pytest.raises(ValueError, match="rankings: metric has 2 values"):
        best_and_worst(rankings, count=1)


def test_count_must_be_positive(rankings):
    with pytest.raises(ValueError, match="count: expected at least 1, got 0"):
        best_and_worst(rankings, count=0)


def test_failures_are_those_whose_match_is_not_first_the_worst_first(rankings):
    table = failures(rankings)
    expected = []
    for probe, ranking in rankings.groupby("probe"):
        right = ranking[ranking.correct]
        if len(right) and right["rank"].min() > 1:
            first = ranking[ranking["rank"] == 1].iloc[0]
            expected.append((probe, right["rank"].min(), first.gallery, first.distance))
    shown = table[["probe", "rank", "retrieved", "retrieved_distance"]]
    assert list(shown.itertuples(index=False, name=None)) == sorted(expected, key=lambda x: -x[1])
    assert table["probe"].tolist() == ["b", "d"]
    assert table["gallery"].tolist() == ["g3", "g2"]
    assert table["gallery_size"].tolist() == [3, 3]


def test_of_rankings_cut_short_no_size_is_told(rankings):
    assert failures(rankings, complete=False)["gallery_size"].isna().all()


def test_no_failures_is_an_empty_table(rankings):
    none = failures(rankings[rankings["probe"].isin(["a", "c"])])
    assert none.empty
    assert {"probe", "retrieved", "gallery_size"} <= set(none.columns)


def test_tables_do_not_import_matplotlib():
    code = "import sys, wherewhen.reporting.tables; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
