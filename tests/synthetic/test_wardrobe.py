import colorsys
from collections import Counter

import pytest

from wherewhen.synthetic import persons
from wherewhen.synthetic.config import SyntheticConfig
from wherewhen.synthetic.wardrobe import COLOURS


@pytest.fixture(scope="module")
def crowd():
    config = SyntheticConfig(persons=80)
    wardrobe = persons.draw_wardrobe(config)
    return [persons.draw_person(config, wardrobe, number) for number in range(1, 81)]


def test_several_people_share_every_kind_of_garment(crowd):
    for part, size in (("top", 12), ("bottom", 8), ("shoes", 5)):
        worn = Counter(getattr(person.outfit, part).name for person in crowd)
        assert len(worn) <= size
        assert sum(count for count in worn.values() if count > 1) > 0.9 * len(crowd)


def test_people_differ_although_they_share_garments(crowd):
    assert len({person.phenotype for person in crowd}) == len(crowd)
    assert len({person.outfit for person in crowd}) > 0.9 * len(crowd)


def test_everybody_is_an_adult_and_dressed(crowd):
    for person in crowd:
        assert person.phenotype.age >= 0.6  # anny: 0.33 is a child, 0.67 a young adult
        assert person.outfit.top.hem > 0
        assert person.outfit.bottom.length > 0.4
        assert person.outfit.head.hair is not None


def test_no_dye_could_pass_for_skin():
    for name, colour in COLOURS.items():
        hue, saturation, value = colorsys.rgb_to_hsv(*colour)
        skin_like = 0.01 < hue < 0.11 and 0.2 < saturation < 0.7 and value > 0.25
        assert not skin_like, name


def test_bags_are_as_frequent_as_asked():
    for bags in (0.0, 1.0):
        config = SyntheticConfig(bags=bags)
        wardrobe = persons.draw_wardrobe(config)
        carrying = [
            persons.draw_person(config, wardrobe, number).outfit.bag for number in range(20)
        ]
        assert all((bag is not None) == (bags == 1.0) for bag in carrying)


def test_a_person_does_not_depend_on_who_was_drawn_before():
    config = SyntheticConfig()
    wardrobe = persons.draw_wardrobe(config)
    alone = persons.draw_person(config, wardrobe, 5)
    for number in range(5):
        persons.draw_person(config, wardrobe, number)
    assert persons.draw_person(config, wardrobe, 5) == alone
    other = SyntheticConfig(seed=1)
    assert persons.draw_person(other, persons.draw_wardrobe(other), 5) != alone


def test_a_wardrobe_of_skirts_still_dresses_men():
    config = SyntheticConfig(bottoms=1)
    wardrobe = persons.draw_wardrobe(config)
    for number in range(30):
        assert persons.draw_person(config, wardrobe, number).outfit.bottom.length > 0.4
