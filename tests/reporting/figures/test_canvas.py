"""What all figures share."""

import numpy as np
import pytest
from matplotlib.colors import same_color

from wherewhen.reporting.figures.canvas import new_figure, place, require_picture, show_picture
from wherewhen.reporting.style import DPI


def test_figures_save_at_the_resolution_of_the_style(tmp_path):
    from PIL import Image

    figure = new_figure(2, 1)
    figure.savefig(tmp_path / "empty.png")
    assert Image.open(tmp_path / "empty.png").size == (2 * DPI, DPI)


def test_places_are_inches_from_the_upper_left_corner():
    axes = place(new_figure(4, 2, layout=None), left=1, top=0.5, width=2, height=1)
    assert axes.get_position().bounds == pytest.approx((0.25, 0.25, 0.5, 0.5))


def test_a_picture_has_a_border_only_when_given():
    figure = new_figure(4, 2)
    plain, framed = figure.subplots(1, 2)
    show_picture(plain, np.zeros((4, 2, 3), np.uint8))
    show_picture(framed, np.zeros((4, 2, 3), np.uint8), border="#009E73")
    assert not any(spine.get_visible() for spine in plain.spines.values())
    assert all(same_color(s.get_edgecolor(), "#009E73") for s in framed.spines.values())


def test_require_picture_names_what_it_got():
    with pytest.raises(ValueError, match=r"probe: expected a uint8 .*, got float64 \[4, 2, 3\]"):
        require_picture(np.zeros((4, 2, 3)), "probe")


def test_drawing_leaves_global_settings_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    new_figure(2, 1).subplots().plot([1, 2])
    assert dict(matplotlib.rcParams) == before
