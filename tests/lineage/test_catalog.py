import pytest
from kedro.io import DatasetError, Version

from wherewhen.lineage.ledger import NotMade


def test_loads_what_the_parameters_ask_for(small):
    small.run()
    small.run(factor=10)
    assert small.catalog().load("doubled") == {"numbers": [2, 4, 6]}
    assert small.catalog(factor=10).load("doubled") == {"numbers": [10, 20, 30]}


def test_refuses_what_is_not_there(small):
    small.run()
    with pytest.raises(NotMade, match="doubled: factor 2 -> 3"):
        small.catalog(factor=3).load("doubled")


def test_a_data_set_of_the_catalog_is_that_of_the_parameters(small):
    """Whoever takes the data set and loads it by itself gets the same."""
    small.run()
    small.run(factor=10)
    assert small.catalog()["doubled"].load() == {"numbers": [2, 4, 6]}
    with pytest.raises(DatasetError):
        small.catalog(factor=3)["doubled"].load()
    assert small.catalog().exists("doubled")
    assert not small.catalog(factor=3).exists("doubled")


def test_an_old_artifact_can_be_looked_at_by_its_identity(small):
    small.run()
    identity = small.catalog().ledger.version("doubled")
    catalog = small.catalog(factor=10)
    assert catalog.get("doubled", version=Version(identity, None)).load() == {"numbers": [2, 4, 6]}


def test_parameters_are_no_artifacts(small):
    assert small.catalog(factor=4).load("params:factor") == 4
