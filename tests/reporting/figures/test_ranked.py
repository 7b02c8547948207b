"""Picture rows: borders, words and the true match."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color

from wherewhen.reporting.figures import FIGURES, RankedProbe, rank_pictures, ranked_probes
from wherewhen.reporting.figures.ranked import match_in_words
from wherewhen.reporting.style import RIGHT, WRONG
from wherewhen.reporting.tables import first_matches


def picture(grey):
    return np.full((8, 4, 3), grey, dtype=np.uint8)


def probe(match=2, shown=3, **changes):
    """A probe whose match stands at rank ``match`` of a gallery that shows ``shown`` pictures."""
    fields = {
        "picture": picture(200),
        "gallery": [picture(i + 1) for i in range(shown)],
        "correct": [rank == match for rank in range(1, shown + 1)],
        "distances": [0.1 * rank for rank in range(1, shown + 1)],
        "match_rank": match,
        "match_distance": 0.1 * match,
    }
    return RankedProbe("cam_a/person_0007", **(fields | changes))


def greys(figure):
    return [int(np.asarray(axes.images[0].get_array()).max()) for axes in figure.axes]


def border(axes):
    return next(iter(axes.spines.values())).get_edgecolor()


def test_probe_left_then_the_gallery_in_order():
    figure = ranked_probes([probe()])
    assert greys(figure) == [200, 1, 2, 3]
    lefts = [axes.get_position().x0 for axes in figure.axes]
    assert lefts == sorted(lefts)


def test_borders_are_green_for_the_person_and_red_for_others():
    answers = ranked_probes([probe(match=2)]).axes[1:]
    assert [same_color(border(axes), RIGHT) for axes in answers] == [False, True, False]
    assert [same_color(border(axes), WRONG) for axes in answers] == [True, False, True]
    assert [axes.get_xlabel() for axes in answers] == ["✗ 0.100", "✓ 0.200", "✗ 0.300"]


def test_shown_limits_a_row_and_a_small_gallery_shortens_it():
    assert greys(ranked_probes([probe(shown=12)], shown=8)) == [200, *range(1, 9)]
    assert greys(ranked_probes([probe(shown=2)], shown=8)) == [200, 1, 2]


def test_a_match_beyond_the_row_is_drawn_apart():
    far = probe(match=9, match_picture=picture(77))
    figure = ranked_probes([far])
    assert greys(figure) == [200, 1, 2, 3, 77]
    assert same_color(border(figure.axes[-1]), RIGHT)
    assert figure.axes[-1].get_xlabel() == "✓ rank 9"
    assert "true match" in [text.get_text() for text in figure.texts]


def test_a_match_in_the_row_is_not_drawn_twice():
    assert greys(ranked_probes([probe(match_picture=picture(77))])) == [200, 1, 2, 3]


def test_a_match_cut_off_by_shown_is_drawn_apart():
    row = probe(match=3, match_picture=picture(77))
    assert greys(ranked_probes([row], shown=2)) == [200, 1, 2, 77]


def test_rows_keep_the_order_they_came_in():
    figure = ranked_probes([probe(picture=picture(150)), probe(picture=picture(160))])
    tops = {
        grey: axes.get_position().y0 for grey, axes in zip(greys(figure), figure.axes, strict=True)
    }
    assert tops[150] > tops[160]


def test_the_words_say_rank_distance_and_the_nearest():
    assert match_in_words(probe(match=2, gallery_size=40)) == (
        "cam_a/person_0007\nmatch at rank 2 of 40\ndistance 0.200\n(nearest 0.100)"
    )
    assert match_in_words(probe(match=1)).endswith("match at rank 1\ndistance 0.100")


def test_words_and_title_stay_inside_the_figure():
    row = probe(shown=1, match=1, gallery_size=12_180)
    figure = ranked_probes([row], title="Worst ranked probes of a trial, network + KISSME")
    figure.draw_without_rendering()
    assert max(text.get_window_extent().x1 for text in figure.texts) <= figure.bbox.x1
    assert min(text.get_window_extent().y0 for text in figure.texts) >= 0


def test_figures_that_cannot_be_drawn_are_refused():
    with pytest.raises(ValueError, match="at least one RankedProbe"):
        ranked_probes([])
    with pytest.raises(ValueError, match="shown: expected at least 1"):
        ranked_probes([probe()], shown=0)


def grey(picture):
    assert picture.dtype == np.uint8
    assert picture.min() == picture.max()
    return int(picture.max())


def test_ranked_rows_hold_the_nearest_and_the_match(pictures):
    rankings = pd.DataFrame(
        {
            "trial": "trial_00",
            "features": "network",
            "metric": "cosine",
            "probe": "a/1",
            "rank": [3, 1, 2],
            "gallery": ["b/1", "b/2", "b/3"],
            "distance": [0.9, 0.2, 0.5],
            "correct": [True, False, False],
        }
    )
    (row,) = rank_pictures(first_matches(rankings), rankings, pictures, shown=2)
    assert grey(row.picture) == 12
    assert [grey(picture) for picture in row.gallery] == [32, 42]
    assert list(row.correct) == [False, False]
    assert list(row.distances) == [0.2, 0.5]
    assert (row.match_rank, row.match_distance, row.gallery_size) == (3, 0.9, 3)
    assert grey(row.match_picture) == 22


def test_the_records_show_the_best_metric_and_say_so(pictures):
    """cosine finds a/1 at rank 2; lfda, whose rank-1 is higher over the trials, at rank 1."""
    columns = ["probe", "rank", "gallery", "distance", "correct"]
    rows = {
        "cosine": [("a/1", 1, "b/2", 0.2, False), ("a/1", 2, "b/1", 0.5, True)],
        "lfda": [("a/1", 1, "b/1", 0.3, True), ("a/1", 2, "b/3", 0.6, False)],
    }
    rankings = pd.concat(
        pd.DataFrame(of_metric, columns=columns).assign(
            trial="trial_00", features="network", metric=metric
        )
        for metric, of_metric in rows.items()
    )
    values = {("cosine", "rank-1"): 0.25, ("cosine", "mAP"): 0.9,
              ("lfda", "rank-1"): 0.5, ("lfda", "mAP"): 0.625}  # fmt: skip
    scores = pd.DataFrame(
        [("network", "two_camera", *key, value) for key, value in values.items()],
        columns=["features", "protocol", "metric", "measure", "value"],
    )
    for name, title in (("best_ranked", "Best ranked"), ("worst_ranked", "Worst ranked")):
        figure = FIGURES[name].draw(pictures, scores, rankings, 1)
        said = [text.get_text() for text in figure.texts]
        assert f"{title}, network + LFDA, trial_00" in said
        assert (
            "the best of 2 metrics, rank-1 50.0 %, mAP 62.5 % over all trials, two_camera" in said
        )
        assert greys(figure)[:2] == [12, 22]
