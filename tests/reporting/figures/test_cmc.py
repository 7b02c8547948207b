"""CMC curves, checked by what their lines hold."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color

from wherewhen.reporting.checks import SCORE_COLUMNS
from wherewhen.reporting.figures import cmc_curves, row_cmc_curves
from wherewhen.reporting.figures.cmc import MOST
from wherewhen.reporting.style import curve_style

CURVES = {  # rank-1, rank-2, rank-3 in two trials
    ("mean_pooled", "cosine"): [[0.2, 0.4, 0.6], [0.4, 0.6, 0.6]],
    ("network", "kissme"): [[0.8, 0.9, 1.0], [0.9, 1.0, 1.0]],
    ("untrained", "cosine"): [[0.3, 0.5, 0.5], [0.5, 0.5, 0.5]],
}


@pytest.fixture
def scores():
    rows = [
        ("pets", "two_camera", f"trial_{trial:02d}", *key, f"rank-{rank}", value)
        for key, trials in CURVES.items()
        for trial, values in enumerate(trials)
        for rank, value in enumerate(values, start=1)
    ]
    rows += [("pets", "two_camera", "trial_00", "network", "kissme", "mAP", 0.1)]
    return pd.DataFrame(rows, columns=SCORE_COLUMNS)


def line_of(figure, name):
    (axes,) = figure.axes
    return next(line for line in axes.lines if line.get_label().endswith(name))


def texts_of(figure):
    return [text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text"))]


def test_lines_are_means_in_percent(scores):
    line = line_of(cmc_curves(scores), "mean-pooled cubes + cosine")
    assert line.get_xdata().tolist() == [1, 2, 3]
    assert line.get_ydata() == pytest.approx([30, 50, 60])


def test_a_fusion_is_named_by_its_parts(scores):
    name = "network/cosine and row_pooled/kissme"
    fused = scores[scores["features"] == "network"].assign(features="fusion", metric=name)
    texts = " ".join(texts_of(cmc_curves(pd.concat([scores, fused]))))
    assert "fusion: network (cosine) + row-pooled cubes (KISSME)" in texts


def test_band_is_one_standard_deviation_inside_the_axis(scores):
    figure = cmc_curves(scores[scores["features"] == "network"])
    (band,) = figure.axes[0].collections
    at_rank = {
        rank: band.get_paths()[0].vertices[band.get_paths()[0].vertices[:, 0] == rank, 1]
        for rank in (1, 2)
    }
    spread = 100 * np.std([0.8, 0.9], ddof=1)
    assert at_rank[1].min() == pytest.approx(85 - spread)
    assert at_rank[1].max() == pytest.approx(85 + spread)
    assert at_rank[2].max() == 100  # 95 + 7.1 cannot be


def test_one_trial_has_no_band(scores):
    figure = cmc_curves(scores[scores["trial"] == "trial_00"])
    assert len(figure.axes[0].collections) == 0
    assert any("1 trial" in text for text in texts_of(figure))


def test_legend_is_sorted_by_rank_1(scores):
    legend = cmc_curves(scores).axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == [
        "85.0 ± 7.1   network + KISSME",
        "40.0 ± 14.1  untrained network + cosine",
        "30.0 ± 14.1  mean-pooled cubes + cosine",
    ]


def test_lines_wear_the_style(scores):
    figure = cmc_curves(scores)
    network = line_of(figure, "network + KISSME")
    baseline = line_of(figure, "mean-pooled cubes + cosine")
    assert same_color(network.get_color(), curve_style("network", "kissme").colour)
    assert baseline.get_linestyle() == "--"
    assert network.get_linewidth() > baseline.get_linewidth()


def test_title_carries_dataset_protocol_trials_and_probes(scores):
    words = " ".join(texts_of(cmc_curves(scores, probes=12)))
    for part in ("CMC on pets", "protocol two_camera", "2 trials", "12 probes each"):
        assert part in words


def test_last_rank_can_be_chosen_and_a_short_gallery_ends_the_curve(scores):
    assert line_of(cmc_curves(scores, max_rank=2), "KISSME").get_xdata().tolist() == [1, 2]
    assert line_of(cmc_curves(scores, max_rank=20), "KISSME").get_xdata().tolist() == [1, 2, 3]


def test_mean_stops_where_a_trial_ends(scores):
    lost = scores["measure"].eq("rank-3") & scores["trial"].eq("trial_01")
    assert line_of(cmc_curves(scores[~lost]), "KISSME").get_xdata().tolist() == [1, 2]


def test_scores_without_ranks_are_refused(scores):
    with pytest.raises(ValueError, match=r"no measure rank-1 \.\.\. rank-k to draw; there are mAP"):
        cmc_curves(scores[scores["measure"] == "mAP"])


def test_empty_scores_are_refused(scores):
    with pytest.raises(ValueError, match="the table is empty"):
        cmc_curves(scores.iloc[:0])


def of_rank_1(values):
    """Scores of one trial whose curves are flat."""
    rows = [
        ("pets", "two_camera", "trial_00", *key, f"rank-{rank}", value)
        for key, value in values.items()
        for rank in (1, 2)
    ]
    return pd.DataFrame(rows, columns=SCORE_COLUMNS)


def legend_of(figure):
    texts = figure.axes[0].get_legend().get_texts()
    return [" ".join(text.get_text().split()) for text in texts]


def test_the_most_curves_fit_beside_the_panel():
    figure = cmc_curves(of_rank_1({(f"experiment_{i}", "lfda"): i / 20 for i in range(14)}))
    figure.draw_without_rendering()
    legend, inside = figure.axes[0].get_legend().get_window_extent(), figure.bbox
    assert len(legend_of(figure)) == MOST
    assert legend.x0 > figure.axes[0].get_window_extent().x1
    assert legend.x1 <= inside.x1
    assert legend.y0 >= 0
    assert legend.y1 <= inside.y1


def test_of_many_curves_the_best_of_each_features_then_the_best_are_drawn():
    values = {("network", f"metric_{i}"): 0.9 - i / 50 for i in range(9)}
    values |= {("mean_pooled", "cosine"): 0.1, ("mean_pooled", "lfda"): 0.2}
    figure = cmc_curves(of_rank_1(values))
    names = [f"{90 - 2 * i:.1f} network + metric {i}" for i in range(MOST - 1)]
    assert legend_of(figure) == [*names, "20.0 mean-pooled cubes + LFDA"]
    assert any("; 8 of 11 lines" in text for text in texts_of(figure))


def test_curves_that_coincide_are_one_line_under_all_names():
    values = {("network", "cosine"): 0.5, ("network", "euclidean"): 0.5}
    values |= {("network", "lfda"): 0.5001, ("untrained", "cosine"): 0.5}
    figure = cmc_curves(of_rank_1(values))
    assert len(figure.axes[0].lines) == 3
    assert sorted(legend_of(figure)) == [
        "50.0 network + Euclidean, cosine",
        "50.0 network + LFDA",
        "50.0 untrained network + cosine",
    ]


def test_figures_are_drawn_in_threads(scores, tmp_path):
    def save(name):
        cmc_curves(scores).savefig(tmp_path / name)
        return (tmp_path / name).read_bytes()

    with ThreadPoolExecutor(3) as pool:
        pictures = set(pool.map(save, ["a.png", "b.png", "c.png"]))
    assert len(pictures) == 1


@pytest.fixture
def rows():
    values = [("ours", False, "t0", [0.5, 0.7]), ("ours", False, "t1", [0.7, 0.9]),
              ("muted", False, "t0", [0.4, 0.5]), ("muted", False, "t1", [0.4, 0.5])]  # fmt: skip
    table = [(*head, rank, value) for *head, ranks in values
             for rank, value in enumerate(ranks, start=1)]  # fmt: skip
    table += [("TDL", True, "published", 1, 0.55), ("TDL", True, "published", 5, 0.95)]
    return pd.DataFrame(table, columns=["row", "quoted", "trial", "rank", "value"])


def test_rows_are_curves_over_the_trials_best_first(rows):
    axes = row_cmc_curves(rows, title="Table VII", facts="2 trials").axes[0]
    names = [" ".join(text.get_text().split()) for text in axes.get_legend().get_texts()]
    assert names == ["60.0 ± 14.1 ours", "55.0 TDL (quoted)", "40.0 ± 0.0 muted"]
    assert axes.lines[0].get_ydata() == pytest.approx([60, 80])
    assert len(axes.collections) == 2  # bands of the two that have a deviation


def test_quoted_rows_are_dotted_and_hollow(rows):
    ours, quoted, _ = row_cmc_curves(rows, title="Table VII").axes[0].lines
    assert (ours.get_linestyle(), quoted.get_linestyle()) == ("-", ":")
    assert same_color(quoted.get_markerfacecolor(), "white")
    assert not same_color(ours.get_markerfacecolor(), "white")
    assert quoted.get_xdata().tolist() == [1]


def test_the_axis_ends_where_the_gallery_of_our_rows_does(rows):
    (axes,) = row_cmc_curves(rows, title="Table VII").axes
    assert axes.get_xlim()[1] == pytest.approx(2.3)
    quoted = rows[rows["quoted"]]
    assert row_cmc_curves(quoted, title="Theirs").axes[0].lines[0].get_xdata().tolist() == [1, 5]


def test_of_many_rows_all_of_ours_are_drawn_before_quoted_ones(rows):
    ours = rows[rows["row"] == "muted"]
    many = [ours.assign(row=f"row {index}", value=ours["value"] / (index + 2))
            for index in range(MOST - 1)]  # fmt: skip
    figure = row_cmc_curves(pd.concat([rows, *many]), title="Table VII", facts="2 trials")
    assert len(legend_of(figure)) == MOST + 1
    assert not [name for name in legend_of(figure) if "quoted" in name]
    assert any("2 trials; 9 of 10 lines" in text for text in texts_of(figure))
    looks = {(line.get_color(), line.get_linestyle(), line.get_marker())
             for line in figure.axes[0].lines}  # fmt: skip
    assert len(looks) == MOST + 1
