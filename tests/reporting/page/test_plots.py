import json

import pytest

from wherewhen.reporting.page import Curve, History, LengthMatrix
from wherewhen.reporting.page.plots import (
    PUBLISHED,
    cmc_plot,
    convergence_plot,
    length_plot,
    to_json,
)


def test_cmc_has_a_line_a_row_a_band_where_there_is_a_deviation_and_the_published_hidden():
    curves = [
        Curve("a", (1, 2), (50.0, 99.0), (4.0, 2.0)),
        Curve("b", (1, 2), (40.0, 60.0), published={5: 90.0, 1: 45.0}),
        Curve("quoted", published={1: 30.0}),
    ]
    traces = to_json(cmc_plot(curves))["data"]
    band, a, b, published, quoted = traces
    assert band["fill"] == "toself" and band["hoverinfo"] == "skip" and not band["showlegend"]
    assert band["x"] == [1, 2, 2, 1]
    assert band["y"] == [54.0, 100, 97.0, 46.0]  # 99 + 2 is cut at 100
    assert (a["name"], a["x"], a["y"]) == ("a", [1, 2], [50.0, 99.0])
    assert a["customdata"] == [" ± 4.0", " ± 2.0"] and b["customdata"] == ["", ""]
    assert (published["x"], published["y"]) == ([1, 5], [45.0, 90.0])
    assert published["name"] == quoted["name"] == PUBLISHED
    assert [published["showlegend"], quoted["showlegend"]] == [True, False]
    assert {published["visible"], quoted["visible"]} == {"legendonly"}
    assert published["line"]["color"] == b["line"]["color"]


def test_cmc_shows_all_ranks_and_starts_below_the_lowest_point():
    layout = to_json(cmc_plot([Curve("a", range(1, 21), [34.0 + k for k in range(20)])]))["layout"]
    assert layout["xaxis"]["tickvals"] == [1, 5, 10, 15, 20]
    assert layout["yaxis"]["range"] == [20, 101]


def test_rows_are_told_apart_beyond_the_number_of_colours():
    traces = to_json(cmc_plot([Curve(str(k), (1,), (50.0,)) for k in range(14)]))["data"]
    assert len({(one["line"]["color"], one["line"]["dash"]) for one in traces}) == 14


def test_names_are_text_to_plotly_which_reads_tags_and_links():
    name = '<a href="http://x.test">a</a> & <b>b</b>'
    for figure in (
        cmc_plot([Curve(name, (1,), (50.0,), published={1: 2.0})]),
        convergence_plot([History(name, (0, 1), (2.0, 1.0), (1,), (1.5,))]),
    ):
        assert "<a" not in json.dumps(to_json(figure)) and "<b>b" not in json.dumps(to_json(figure))


def test_convergence_hides_both_lines_of_a_row_together():
    training, validation = to_json(
        convergence_plot([History("a", (0, 1, 2), (3.0, 2.0, 1.0), (2,), (1.5,))])
    )["data"]
    assert (training["y"], validation["x"], validation["y"]) == ([3.0, 2.0, 1.0], [2], [1.5])
    assert training["legendgroup"] == validation["legendgroup"] and not validation["showlegend"]


def test_lengths_are_names_with_the_probe_up():
    heat = to_json(length_plot(LengthMatrix("a", (1, 128), (2, 4), ((1.0, 2.0), (3.0, 4.0)))))
    (trace,) = heat["data"]
    assert (trace["y"], trace["x"], trace["z"]) == (["1", "128"], ["2", "4"], [[1, 2], [3, 4]])
    assert heat["layout"]["yaxis"]["title"]["text"] == "probe video (frames)"


def test_numbers_are_short_and_no_template_comes_along():
    plot = to_json(cmc_plot([Curve("a", (1,), (100 / 3,), (1 / 3,))]))
    assert "33.33]" in json.dumps(plot) and "template" not in plot["layout"]
    assert len(json.dumps(plot)) < 2500


@pytest.mark.parametrize("gallery", [1, 4])
def test_a_short_gallery_has_a_tick_a_rank(gallery):
    ranks = range(1, gallery + 1)
    layout = to_json(cmc_plot([Curve("a", ranks, [50.0] * gallery)]))["layout"]
    assert layout["xaxis"]["tickvals"] == list(ranks)
