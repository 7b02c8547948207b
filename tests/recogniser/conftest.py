from functools import partial

import pytest
from recognisers import coloured_clips, random_backbone, random_parts, random_recogniser


@pytest.fixture(scope="session")
def backbone():
    return random_backbone()


@pytest.fixture(scope="session")
def build(backbone, tmp_path_factory):
    """Build a recogniser of random weights, by any of the card's distances."""
    parts = random_parts(backbone, tmp_path_factory.mktemp("model") / "files")
    return partial(random_recogniser, parts)


@pytest.fixture(scope="session")
def clips():
    return coloured_clips()
