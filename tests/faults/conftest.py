import pytest


@pytest.fixture(scope="session")
def launcher():
    """Starts commands in processes that are forked from one, which takes seconds to start."""
    from forked import Launcher

    with Launcher() as launcher:
        yield launcher
