import numpy as np
import pytest

from wherewhen.synthetic import filming, persons
from wherewhen.synthetic.config import SyntheticConfig
from wherewhen.synthetic.planning import plan
from wherewhen.synthetic.rendering import Renderer


@pytest.fixture(scope="module")
def staged():
    config = SyntheticConfig(persons=2, min_frames=3, max_frames=3, box_jitter=0.0)
    studio = filming.Studio(config, persons.draw_wardrobe(config))
    actor = studio.prepare(plan(config).person(1))
    setup = config.camera_list[0]
    generator = np.random.default_rng(0)
    phases = np.array([0.0, 0.25, 0.6])
    transforms, view, feet = studio.stage(actor, setup, np.full(3, 0.3), phases, generator)
    return actor, transforms, view, feet


def test_a_refitted_mesh_shows_what_a_rebuilt_one_shows(staged):
    actor, transforms, view, _ = staged
    layers = [
        Renderer(actor.dressed, rebuild=rebuild).render(transforms, view, 128, 64, 2, 0.5)
        for rebuild in (False, True)
    ]
    np.testing.assert_allclose(layers[0].colour, layers[1].colour, atol=0.02)
    assert (layers[0].colour[..., 3] == layers[1].colour[..., 3]).mean() > 0.999


def test_the_person_fills_the_crop_and_stands_in_its_middle(staged):
    actor, transforms, view, feet = staged
    layers = Renderer(actor.dressed).render(transforms, view, 128, 64, 2, 0.5)
    cover = layers.colour[..., 3]
    assert cover.min() == 0
    assert cover.max() == 1
    assert (cover[:, 50:65, 29:35] > 0.9).all()  # the trunk
    assert cover[:, :2].max() == 0  # air above the head
    rows = np.flatnonzero(cover.max(axis=(0, 2)) > 0.5)
    assert 110 <= np.ptp(rows) + 1 <= 125
    assert abs(feet.mean() - rows[-1]) < 4
    assert layers.shadow[:, -20:].max() > 0.2  # on the ground
    assert layers.colour[..., :3].max() <= 1.5


def test_finer_rays_agree_with_coarser_ones(staged):
    actor, transforms, view, _ = staged
    coarse, fine = (
        Renderer(actor.dressed).render(transforms[:1], view, 128, 64, rays, 0.5).colour
        for rays in (2, 4)
    )
    assert np.abs(coarse - fine).mean() < 0.01
