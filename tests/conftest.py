"""What tests of all rooms share: where the repository and the optional shared data lie."""

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def real_footage() -> Path:
    """Real pedestrians in PRID 2011's layout, where a workplace has them; never in the project."""
    folder = REPOSITORY.parent / "shared" / "data" / "pets09-s2l1"
    if not folder.is_dir():
        pytest.skip(f"no real footage at {folder}")
    return folder
