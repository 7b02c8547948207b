"""What all figures share."""

import numpy as np
import pytest
from matplotlib.colors import same_color

from wherewhen.reporting.figures.canvas import (
    new_figure,
    picture_figure,
    place,
    save_figure,
    show_picture,
    shown_frames,
)
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


def test_drawing_leaves_global_settings_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    new_figure(2, 1).subplots().plot([1, 2])
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    ("count", "shown", "expected"),
    [(6, 3, [1, 3, 5]), (3, 10, [0, 1, 2]), (40, 10, list(range(2, 40, 4))), (5, 1, [2])],
)
def test_shown_frames_are_even(count, shown, expected):
    assert shown_frames(count, shown).tolist() == expected


def test_a_figure_is_saved_as_picture_and_as_vectors(tmp_path):
    from PIL import Image

    def drawn():
        figure = new_figure(2, 1)
        figure.subplots().plot([1, 2])
        return figure

    png, pdf = save_figure(drawn(), tmp_path / "new" / "lines.png")
    assert Image.open(png).format == "PNG"
    assert pdf.name == "lines.pdf"
    assert pdf.read_bytes().startswith(b"%PDF")
    before = [file.read_bytes() for file in (png, pdf)]
    save_figure(drawn(), png)
    assert [file.read_bytes() for file in (png, pdf)] == before
    assert sorted(file.name for file in png.parent.iterdir()) == ["lines.pdf", "lines.png"]


def test_a_picture_figure_is_wide_enough_for_its_words():
    figure = picture_figure(1, 1, "a long title " * 4, "facts " * 20)
    figure.draw_without_rendering()
    assert len(figure.texts) == 2
    assert all(text.get_window_extent().x1 <= figure.bbox.x1 for text in figure.texts)
