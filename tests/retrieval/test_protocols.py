import pytest

from wherewhen.retrieval.protocols import PROTOCOLS, protocol_named


def test_every_protocol_is_found_by_its_name():
    assert {protocol_named(name).name for name in PROTOCOLS} == set(PROTOCOLS)
    assert {"single_match", "cross_camera"} <= set(PROTOCOLS)


def test_an_unknown_one_lists_the_known():
    with pytest.raises(ValueError, match=r"no protocol 'mars'.*cross_camera, single_match"):
        protocol_named("mars")
