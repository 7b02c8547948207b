"""The processes that share the tests."""

import pytest


def test_groups_of_tests_stay_together(request):
    """Else each process makes what a group shares, and the suite takes twice as long in silence."""
    if not hasattr(request.config, "workerinput"):
        pytest.skip("one process runs all tests (-n 0)")
    assert "@" in request.node.nodeid, "pytest-xdist does not know the groups of conftest.py"
