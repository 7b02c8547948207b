import dataclasses
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel

from wherewhen.tracklets import fingerprint as module
from wherewhen.tracklets.fingerprint import fingerprint, rows_fingerprint


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
