import pytest

from wherewhen.lineage.content import content_of
from wherewhen.lineage.records import Record, differences, flat, record_path


@pytest.fixture
def record():
    return Record(
        artifact="trial_00.network",
        identity="0123456789abcdef",
        node="trial_00.fit",
        function="wherewhen.pipelines.train.nodes.fit",
        code="c0de",
        parameters={
            "train.training": {"learning_rate": 0.001, "learning_rate_factors": {"attention": 0.2}}
        },
        inputs={"cubes": "c", "trial_00.split": "s"},
        content="f" * 64,
        counts="f" * 64,
        size=12,
        commit="abc",
        versions={"python": "3.11"},
        started="2026-01-01T00:00:00+00:00",
        finished="2026-01-01T00:01:00+00:00",
    )


def making(record, **changes):
    kept = ("function", "code", "parameters", "inputs")
    return {name: getattr(record, name) for name in kept} | changes


def test_what_was_written_is_read(record, tmp_path):
    path = tmp_path / "deep" / "record.json"
    record.write(path)
    assert Record.read(path) == record
    assert [each.name for each in path.parent.iterdir()] == ["record.json"]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"artifact": "x"}', b"\xff\xfe"])
def test_a_damaged_record_is_none(tmp_path, damage):
    path = tmp_path / "record.json"
    path.write_bytes(damage)
    assert Record.read(path) is None
    assert Record.read(tmp_path / "absent") is None


def test_a_record_fits_the_file_that_it_is_of(record, tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"one")
    record = record.model_copy(update={"content": content_of(file)})
    assert record.fits(file)
    file.write_bytes(b"two")
    assert not record.fits(file)


def test_where_records_lie(tmp_path):
    assert record_path(tmp_path / "id" / "a.csv", versioned=True) == tmp_path / "id/record.json"
    assert record_path(tmp_path / "a.png", versioned=False) == tmp_path / "a.png.record.json"


class TestDifferences:
    def test_none(self, record):
        assert differences(record, making(record)) == []

    def test_a_parameter_is_shown_before_and_after(self, record):
        now = {
            "train.training": {
                "learning_rate": 0.01,
                "learning_rate_factors": {"attention": 0.2, "gru": 0.1},
            }
        }
        assert differences(record, making(record, parameters=now)) == [
            "train.training.learning_rate 0.001 -> 0.01",
            "train.training.learning_rate_factors.gru (none) -> 0.1",
        ]

    def test_an_input_and_the_code_are_named(self, record):
        now = making(record, inputs={"cubes": "other", "splits": "s"}, code="c0d3")
        assert differences(record, now) == [
            "cubes changed",
            "splits changed",
            "trial_00.split changed",
            "its code changed",
        ]

    def test_another_function_is_named_alone(self, record):
        now = making(record, function="elsewhere.fit", parameters={"other": 1}, code="c0d3")
        assert differences(record, now) == [f"made by {record.function}, now by elsewhere.fit"]


def test_nested_parameters_are_spelled_with_dots():
    assert flat({"a": {"b": 1, "c": {}}, "d": [1, 2]}) == {"a.b": 1, "a.c": {}, "d": [1, 2]}
    assert flat(3, "a.b.") == {"a.b": 3}
