import dataclasses
from pathlib import Path, PurePosixPath
from typing import Annotated

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel, Field

from wherewhen.tracklets import fingerprint as module
from wherewhen.tracklets.fingerprint import (
    OPERATIONAL,
    decisive,
    fingerprint,
    rows_fingerprint,
)


class Model(BaseModel):
    a: int


@dataclasses.dataclass
class Data:
    a: int


def test_it_never_changes():
    """A changed rule would make every cube and checkpoint on disk unknown."""
    # printf '{"a":[1,2.5],"b":"x"}' | sha256sum
    assert fingerprint({"b": "x", "a": [1, 2.5]}) == "5cefae54a95b31dc"


@pytest.mark.parametrize("rows", [0, 1, 4, 5])
def test_rows_in_portions_are_named_as_in_one_list(rows, monkeypatch):
    monkeypatch.setattr(module, "_ROWS", 2)
    table = pd.DataFrame({"name": list("abcde"), "number": range(5)})[:rows]
    listed = [[name, number] for name, number in zip("abcde", range(5), strict=True)][:rows]
    assert rows_fingerprint(table) == fingerprint(listed)


def test_the_order_of_keys_is_nothing_that_of_lists_is():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint([1, 2]) != fingerprint([2, 1])
    assert fingerprint({2, 1, 3}) == fingerprint([1, 2, 3])


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float64(0.5), 0.5),
        (np.int32(3), 3),
        (np.array([[1, 2]]), [[1, 2]]),
        ((1, 2), [1, 2]),
        (PurePosixPath("a/b"), "a/b"),
        (Model(a=1), {"a": 1}),
        (Data(a=1), {"a": 1}),
    ],
)
def test_what_json_does_not_know(value, plain):
    assert fingerprint({"key": value}) == fingerprint({"key": plain})


def test_what_has_no_canonical_form_is_refused():
    with pytest.raises(TypeError, match="no fingerprint for a object"):
        fingerprint({"key": object()})
    with pytest.raises(ValueError, match="JSON"):
        fingerprint(float("nan"))


class Inner(BaseModel):
    rate: float = 0.5
    workers: Annotated[int, OPERATIONAL] = 1
    checked: Annotated[int, OPERATIONAL] = Field(default=3, ge=1)


class Outer(BaseModel):
    inner: Inner = Inner()
    several: tuple[Inner, ...] = (Inner(rate=1.0),)
    named: dict[str, Inner | None] = {"a": Inner(rate=2.0), "b": None}
    share: float = Field(default=0.3, alias="lambda")
    path: Path | None = None
    whole: Annotated[Inner, OPERATIONAL] = Inner(rate=9.0)


def lies_there(path):
    return f"what lies at {path}"


class TestDecisive:
    def test_operational_fields_are_left_out_at_any_depth(self):
        assert decisive(Outer(), lies_there) == {
            "inner": {"rate": 0.5},
            "several": [{"rate": 1.0}],
            "named": {"a": {"rate": 2.0}, "b": None},
            "share": 0.3,
            "path": None,
        }

    def test_a_path_counts_by_what_lies_there(self):
        found = decisive(Outer(path=Path("a/b")), lies_there)
        assert found["path"] == {"content": "what lies at a/b"}
        assert decisive({"x": [PurePosixPath("c")]}, lies_there) == {
            "x": [{"content": "what lies at c"}]
        }

    def test_a_path_is_not_the_text_of_its_content(self):
        """Else a file's content could be mistaken for a parameter."""
        names = {fingerprint(decisive(value, str)) for value in (Path("a"), "a", {"a": Path("a")})}
        assert len(names) == 3

    @pytest.mark.parametrize("value", [1, 1.5, "a", True, None, [1, [2]], {"a": {"b": 1}}])
    def test_plain_values_stay(self, value):
        assert decisive(value, lies_there) == value

    def test_names_become_text_as_in_json(self):
        assert decisive({1: (2, 3)}, lies_there) == {"1": [2, 3]}

    def test_what_is_left_can_be_named(self):
        before = fingerprint(decisive(Outer(), lies_there))
        changed = Outer(inner=Inner(workers=8, checked=5), whole=Inner(rate=0.0))
        assert fingerprint(decisive(changed, lies_there)) == before
        for other in (
            Outer(inner=Inner(rate=0.6)),
            Outer(several=(Inner(rate=1.0), Inner())),
            Outer(named={"a": Inner(rate=2.5), "b": None}),
            Outer(**{"lambda": 0.4}),
            Outer(path=Path("a")),
        ):
            assert fingerprint(decisive(other, lies_there)) != before
