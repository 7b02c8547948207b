"""Names for people and styles that can be told apart."""

import itertools

import pytest

from wherewhen.reporting import style


@pytest.mark.parametrize(
    ("features", "metric", "text"),
    [
        ("network", "kissme", "network + KISSME"),
        ("row_pooled", "lfda", "row-pooled cubes + LFDA"),
        ("untrained", "cosine", "untrained network + cosine"),
        ("no_attention", "my_metric", "no attention + my metric"),
        ("network", "lfda-re-ranked", "network + LFDA, re-ranked"),
        (
            "fusion",
            "network/cosine and row_pooled/kissme",
            "fusion: network (cosine) + row-pooled cubes (KISSME)",
        ),
    ],
)
def test_describe(features, metric, text):
    assert style.describe(features, metric) == text


def test_order_is_baselines_untrained_network_then_experiments():
    keys = [("no_attention", "cosine"), ("network", "lfda"), ("network", "cosine")]
    keys += [("untrained", "cosine"), ("row_pooled", "kissme"), ("mean_pooled", "lfda")]
    keys += [("network", "cosine-re-ranked")]
    assert sorted(keys, key=lambda key: style.sort_key(*key)) == [
        ("mean_pooled", "lfda"),
        ("row_pooled", "kissme"),
        ("untrained", "cosine"),
        ("network", "cosine"),
        ("network", "cosine-re-ranked"),
        ("network", "lfda"),
        ("no_attention", "cosine"),
    ]


def test_every_known_curve_has_a_style_of_its_own():
    pairs = itertools.product([*style.FEATURES, "experiment"], [*style.METRICS, "other"])
    styles = [style.curve_style(*pair) for pair in pairs]
    assert len({(s.colour, s.line, s.marker) for s in styles}) == len(styles)


def test_baselines_are_dashed_and_the_network_is_thickest():
    styles = {features: style.curve_style(features, "cosine") for features in style.FEATURES}
    assert {styles[features].line for features in style.BASELINES} == {"--"}
    assert max(styles, key=lambda features: styles[features].width) == "network"
    assert max(styles, key=lambda features: styles[features].order) == "network"


def test_rows_of_a_long_table_can_be_told_apart():
    looks = [style.row_style(index) for index in range(28)]
    assert len({(look.colour, look.line) for look in looks}) == 28
    assert style.row_style(28) is not None
    for one, other in itertools.pairwise(looks):
        assert one.colour != other.colour
        assert one.marker != other.marker
