import colorsys
import itertools
from typing import get_args

import numpy as np
import pytest

from wherewhen.synthetic import occluders, scenes, wardrobe
from wherewhen.synthetic.config import HELD_OUT_CAMERAS, VARIED_CAMERAS, SyntheticConfig
from wherewhen.synthetic.worlds import WORLDS

SEEN = [WORLDS["street"], WORLDS["varied"]]
HELD_OUT = WORLDS["held_out"]


def chromatic_hues(stock):
    """Hues of the colours in which a hue is seen: neither grey nor almost black."""
    colours = (colorsys.rgb_to_hsv(*colour) for colour in stock.palette.values())
    return [hue for hue, saturation, value in colours if saturation > 0.25 and value > 0.2]


def distance(hue, other):
    return abs((hue - other + 0.5) % 1.0 - 0.5)


def test_every_world_of_the_parameter_is_there():
    assert set(WORLDS) == set(get_args(SyntheticConfig.model_fields["world"].annotation))


@pytest.mark.parametrize("world", SEEN)
class TestTheHeldOutWorldShares:
    def test_no_hue_however_it_varies(self, world):
        stocks = world.stock, HELD_OUT.stock
        pairs = itertools.product(*map(chromatic_hues, stocks))
        assert min(itertools.starmap(distance, pairs)) > sum(stock.hue for stock in stocks)

    def test_no_cut_and_no_pattern_but_plain_cloth(self, world):
        for kinds in ("top_kinds", "bottom_kinds"):
            ours, theirs = getattr(world.stock, kinds), getattr(HELD_OUT.stock, kinds)
            assert {kind.name for kind in ours}.isdisjoint(kind.name for kind in theirs)
            cuts = [{tuple(kind[1:5]) for kind in side} for side in (ours, theirs)]
            assert cuts[0].isdisjoint(cuts[1])
            patterns = [{p for kind in side for p in kind.patterns} for side in (ours, theirs)]
            assert patterns[0] & patterns[1] == {wardrobe.PLAIN}

    def test_no_headgear_and_no_size_of_bag(self, world):
        styles = [{*w.stock.women, *w.stock.men} for w in (world, HELD_OUT)]
        assert styles[0] & styles[1] & set(wardrobe.COVERED) == set()
        sizes = [set(w.stock.bag_sizes.values()) for w in (world, HELD_OUT)]
        assert sizes[0].isdisjoint(sizes[1])

    def test_no_place_and_no_occluder_but_walkers(self, world):
        assert set(world.places).isdisjoint(HELD_OUT.places)
        assert set(world.occluders) & set(HELD_OUT.occluders) == {occluders.WALKER}


def test_held_out_cameras_are_steeper_and_nearer():
    steepest = max(camera.elevation for camera in VARIED_CAMERAS)
    assert all(camera.elevation > steepest for camera in HELD_OUT_CAMERAS)
    nearest = min(camera.distance for camera in VARIED_CAMERAS)
    assert all(camera.distance < nearest for camera in HELD_OUT_CAMERAS)
    casts = [{camera.cast for camera in cameras} for cameras in (VARIED_CAMERAS, HELD_OUT_CAMERAS)]
    assert casts[0].isdisjoint(casts[1])


@pytest.mark.parametrize("cameras", [VARIED_CAMERAS, HELD_OUT_CAMERAS])
def test_cameras_stand_on_all_sides(cameras):
    quarters = {int((camera.azimuth % (2 * np.pi)) // (np.pi / 2)) for camera in cameras}
    assert quarters == {0, 1, 2, 3}


@pytest.mark.parametrize("world", WORLDS)
def test_no_shade_of_any_garment_could_pass_for_skin(world):
    stock, generator = WORLDS[world].stock, np.random.default_rng(0)
    for name in stock.palette:
        for _ in range(20):
            hue, saturation, value = colorsys.rgb_to_hsv(*stock.shade(name, generator))
            assert not (0.01 < hue < 0.11 and 0.2 < saturation < 0.7 and value > 0.25), name


@pytest.mark.parametrize("world", WORLDS)
def test_every_garment_can_be_made(world):
    stock = WORLDS[world].stock
    made = wardrobe.stock_wardrobe(40, 30, 20, np.random.default_rng(0), stock)
    assert {top.name.split(" ", 1)[1] for top in made.tops} >= {
        kind.name.split(" ", 1)[-1] for kind in stock.top_kinds if " " not in kind.name
    }
    outfits = [
        wardrobe.dress(made, woman, 0.7, 1.0, np.random.default_rng(number))
        for number, woman in itertools.product(range(40), (False, True))
    ]
    assert {outfit.head.style for outfit in outfits} == {*stock.women, *stock.men}
    assert all(
        (outfit.head.cover is not None) == (outfit.head.style in wardrobe.COVERED)
        for outfit in outfits
    )


def test_the_varied_wardrobe_has_hundreds_of_different_tops():
    made = wardrobe.stock_wardrobe(300, 1, 1, np.random.default_rng(0), WORLDS["varied"].stock)
    assert len({top.cloth for top in made.tops}) == 300


@pytest.mark.parametrize("kind", scenes.PLACES)
def test_a_place_is_drawn_in_muted_colours(kind):
    def draw(seed):
        return np.asarray(scenes.draw_scene(64, 0.2, np.random.default_rng(seed), kind))

    picture = draw(0)
    assert picture.shape == (2 * 64 * scenes.SCALE, 10 * 64 * scenes.SCALE, 3)
    np.testing.assert_array_equal(picture, draw(0))
    assert (picture != draw(1)).any()
    pixels = picture.reshape(-1, 3).astype(float)
    assert (np.ptp(pixels, axis=1) < 110).mean() > 0.99
    assert pixels.std() > 8


@pytest.mark.parametrize("world", WORLDS)
def test_every_occluder_hides_something_and_not_everything(world):
    for kind in set(WORLDS[world].occluders) - {occluders.WALKER}:
        front = occluders.draw(kind, np.array([32.0, 30.0]), 128, 64, np.random.default_rng(0))
        assert front.shape == (2, 128, 64, 4)
        cover = front[..., 3]
        assert 0 <= cover.min() < cover.max() <= 1
        assert 0.02 < cover.mean() < 0.8
        assert (front[..., :3] <= 1.2 * cover[..., None]).all()
