import json
import math

import pandas as pd
import pytest

from wherewhen.reporting.page.plots import PUBLISHED, cmc_plot, convergence_plot, length_plot


def curves(*lines):
    """Return a table of curves: row, trial (None: published) and fractions by rank."""
    return pd.DataFrame(
        [
            (row, trial is None, trial or "published", rank, value)
            for row, trial, ranks in lines
            for rank, value in ranks.items()
        ],
        columns=["row", "quoted", "trial", "rank", "value"],
    )


def losses(row, validation, *trials):
    """Return losses by epoch of several trials, and validation losses of all."""
    nothing = [math.nan] * len(trials[0])
    return pd.concat(
        pd.DataFrame({"row": row, "trial": str(trial), "epoch": range(len(loss)), "loss": loss,
                      "validation_loss": validation or nothing})
        for trial, loss in enumerate(trials)
    )  # fmt: skip


def test_cmc_has_a_line_a_row_a_band_where_there_is_a_deviation_and_the_published_hidden():
    table = curves(
        ("b", "t0", {1: 0.4, 2: 0.6}),
        ("a", "t0", {1: 0.48, 2: 0.99}), ("a", "t1", {1: 0.52, 2: 0.95}),
        ("b", None, {5: 0.9, 1: 0.45}), ("quoted", None, {1: 0.3}),
    )  # fmt: skip
    plot = cmc_plot(table, ["a", "unfinished", "b", "quoted"])
    band, a, b, published, quoted = plot.drawing["data"]
    assert band["fill"] == "toself" and band["hoverinfo"] == "skip" and not band["showlegend"]
    assert band["x"] == [1, 2, 2, 1]
    # means 50 and 97, deviations (ddof 1) 4 / sqrt(2)
    assert band["y"] == [52.83, 99.83, 94.17, 47.17]
    assert (a["name"], a["x"], a["y"]) == ("a", [1, 2], [50.0, 97.0])
    assert a["customdata"] == [" ± 2.8", " ± 2.8"] and b["customdata"] == ["", ""]
    assert (published["x"], published["y"]) == ([1, 5], [45.0, 90.0])
    assert published["name"] == quoted["name"] == PUBLISHED
    assert [published["showlegend"], quoted["showlegend"]] == [True, False]
    assert {published["visible"], quoted["visible"]} == {"legendonly"}
    assert published["line"]["color"] == b["line"]["color"]
    assert "in the legend too" in plot.caption and "curves of a, b, quoted;" in plot.description


def test_a_band_ends_at_0_and_100_percent():
    table = curves(("a", "t0", {1: 0.0, 2: 0.9}), ("a", "t1", {1: 0.2, 2: 1.0}))
    band, _ = cmc_plot(table, ["a"]).drawing["data"]
    assert band["y"] == [24.14, 100.0, 87.93, 0.0]  # 10 -+ 14.14, 95 -+ 7.07


def test_cmc_shows_all_ranks_and_starts_below_the_lowest_point():
    table = curves(("a", "t0", {k: (33.0 + k) / 100 for k in range(1, 21)}))
    layout = cmc_plot(table, ["a"]).drawing["layout"]
    assert layout["xaxis"]["tickvals"] == [1, 5, 10, 15, 20]
    assert layout["xaxis"]["range"] == [0.5, 20.5] and layout["yaxis"]["range"] == [20, 101]


@pytest.mark.parametrize("gallery", [1, 4])
def test_a_short_gallery_has_a_tick_a_rank(gallery):
    ranks = range(1, gallery + 1)
    layout = cmc_plot(curves(("a", "t0", dict.fromkeys(ranks, 0.5))), ["a"]).drawing["layout"]
    assert layout["xaxis"]["tickvals"] == list(ranks)


def test_rows_are_told_apart_beyond_the_number_of_colours():
    names = [str(k) for k in range(14)]
    traces = cmc_plot(curves(*((name, "t0", {1: 0.5}) for name in names)), names).drawing["data"]
    assert len({(one["line"]["color"], one["line"]["dash"]) for one in traces}) == 14


def test_names_are_text_to_plotly_which_reads_tags_and_links():
    name = '<a href="http://x.test">a</a> & <b>b</b>'
    table = curves((name, "t0", {1: 0.5}), (name, None, {1: 0.02}))
    for plot in (cmc_plot(table, [name]), convergence_plot(losses(name, [1.5, 1.5], [2.0, 1.0]))):
        text = json.dumps(plot.drawing)
        assert "<a" not in text and "<b>b" not in text


def test_convergence_is_the_mean_over_trials_and_hides_both_lines_of_a_row_together():
    table = losses("a", [math.nan, math.nan, 1.5], [4.0, 2.0, 1.0], [2.0, 2.0, 1.0])
    plot = convergence_plot(pd.concat([table, losses("b", [], [1.0])]))
    training, validation, other = plot.drawing["data"]
    assert (training["y"], validation["x"], validation["y"]) == ([3.0, 2.0, 1.0], [2], [1.5])
    assert training["legendgroup"] == validation["legendgroup"] and not validation["showlegend"]
    assert other["name"] == "b" and other["line"]["color"] != training["line"]["color"]
    assert "dotted" in plot.caption and "of a, b." in plot.description


def test_a_long_training_is_thinned():
    (trace,) = convergence_plot(losses("a", [], [1.0] * 501)).drawing["data"]
    assert trace["x"] == list(range(0, 501, 3))


def test_what_was_not_measured_is_null_in_json():
    table = pd.DataFrame(
        {"trial": "t", "probe_frames": [8, 8, 16], "gallery_frames": [8, 16, 8], "rank-1": 0.5}
    )
    assert length_plot("a", table).drawing["data"][0]["z"] == [[50, 50], [50, None]]


def test_lengths_are_names_with_the_probe_up():
    table = pd.DataFrame({"trial": ["t0", "t1"] * 4, "probe_frames": [1] * 4 + [128] * 4,
                          "gallery_frames": [2, 2, 4, 4] * 2,
                          "rank-1": [0, 0.02, 0.02, 0.02, 0.03, 0.03, 0.04, 0.04]})  # fmt: skip
    plot = length_plot("a", table)
    (trace,) = plot.drawing["data"]
    assert (trace["y"], trace["x"], trace["z"]) == (["1", "128"], ["2", "4"], [[1, 2], [3, 4]])
    assert plot.drawing["layout"]["yaxis"]["title"]["text"] == "probe video (frames)"


def test_numbers_are_short():
    drawing = cmc_plot(curves(("a", "t0", {1: 1 / 3})), ["a"]).drawing
    assert "33.33]" in json.dumps(drawing) and len(json.dumps(drawing)) < 2500
