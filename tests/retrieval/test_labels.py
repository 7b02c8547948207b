from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from wherewhen.retrieval import Task, evaluate, score
from wherewhen.retrieval.labels import paired_labels, plain_values

# Probes 3, 5, 3; gallery 5, 3, -1, 3. Cameras 1, 1, 2; 2, 2, 1, 1.
DISTANCES = np.random.default_rng(0).random((3, 4))
SIDES = {
    "probe_persons": [3, 5, 3],
    "gallery_persons": [5, 3, -1, 3],
    "probe_cameras": [1, 1, 2],
    "gallery_cameras": [2, 2, 1, 1],
}
NUMBERS = {
    "list": list,
    "tuple": tuple,
    "iterator": iter,
    "int32": lambda values: np.array(values, dtype=np.int32),
    "objects": lambda values: np.array(values, dtype=object),
    "floats": lambda values: np.array(values, dtype=np.float32),
    "list of numpy": lambda values: [np.int16(value) for value in values],
    "list of arrays": lambda values: [np.array(value) for value in values],
    "tensor": torch.tensor,
    "tensor with gradient": lambda values: torch.tensor(
        values, dtype=torch.float64
    ).requires_grad_(),
    "list of tensors": lambda values: [torch.tensor(value) for value in values],
    "list of tensors of one": lambda values: [torch.tensor([value]) for value in values],
    "series": lambda values: pd.Series(values, index=[9] * len(values)),
    "nullable series": lambda values: pd.Series(values, dtype="Int64"),
    "index": pd.Index,
    "categories": pd.Categorical,
}
TEXTS = {
    "list": lambda values: list(map(str, values)),
    "numpy": lambda values: np.array(values).astype(str),
    "objects": lambda values: np.array([*map(str, values)], dtype=object),
    "series": lambda values: pd.Series(values).astype("string"),
    "categories": lambda values: pd.Series(values).astype(str).astype("category"),
}


@pytest.fixture(scope="module")
def expected():
    return score(Task(DISTANCES, **SIDES, protocol="official"), resamples=0)


@pytest.mark.parametrize("argument", [*SIDES, "probe", "gallery"])
@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_compare_by_value_in_any_array(expected, argument, kind):
    labels = {
        name: NUMBERS[kind](values) if name.startswith(argument) else values
        for name, values in SIDES.items()
    }
    assert score(Task(DISTANCES, **labels, protocol="official"), resamples=0) == expected


@pytest.mark.parametrize("gallery", TEXTS)
@pytest.mark.parametrize("probes", TEXTS)
def test_texts_compare_by_value_in_any_array(expected, probes, gallery):
    labels = {
        name: TEXTS[probes if name.startswith("probe") else gallery](values)
        for name, values in SIDES.items()
    }
    assert score(Task(DISTANCES, **labels, protocol="official"), resamples=0) == expected


@pytest.mark.parametrize("argument", SIDES)
@pytest.mark.parametrize("kind", ["list", "numpy"])
def test_texts_on_one_side_and_numbers_on_the_other_are_refused(argument, kind):
    """Cameras "1" and 1 would differ, and every probe find itself."""
    labels = SIDES | {argument: TEXTS[kind](SIDES[argument])}
    what = argument.partition("_")[2]
    with pytest.raises(ValueError, match=f"probe_{what} and gallery_{what} hold both text and num"):
        evaluate(DISTANCES, **labels, protocol="official")


@pytest.mark.parametrize("junk", [-1, -1.0, "-1", "00-1", torch.tensor(-1), np.float32(-1)])
def test_distractors_of_mars_are_dropped_in_any_type(junk):
    text = isinstance(junk, str)
    persons = ["3", "5"] if text else [3, 5]
    task = Task([[0.2, 0.1, 0.3]], persons[:1], [persons[0], junk, persons[1]], [1], [2, 2, 2],
                "official")  # fmt: skip
    assert task.columns.tolist() == [0, 2]


@pytest.mark.parametrize("argument", SIDES)
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "holds None: expected text or whole numbers"),
        (float("nan"), "holds nan"),
        (1.5, "holds 1.5"),
        (float("inf"), "holds inf"),
        (pd.NA, "holds <NA>"),
        (b"3", "holds b'3'"),
        (("3",), r"holds \('3',\)"),
        (Path("3"), "holds .*Path"),
        (torch.tensor([1, 2]), "holds tensor.* expected single values"),
        (np.array([1, 2]), "holds array.* expected single values"),
    ],
)
def test_what_is_no_label_is_refused_by_name(argument, value, message):
    labels = SIDES | {argument: [*SIDES[argument][:-1], value]}
    with pytest.raises(ValueError, match=f"{argument} {message}"):
        evaluate(DISTANCES, **labels, protocol="official")


@pytest.mark.parametrize("argument", SIDES)
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda values: values[1:], r"has \d entries: expected \d, one for each"),
        (lambda values: np.array(values)[:, None], r"is of shape \(\d, 1\): expected a sequence"),
        (lambda values: torch.tensor(values)[None], r"is of shape \(1, \d\)"),
        (lambda values: pd.DataFrame({"label": values}), r"is of shape \(\d, 1\)"),
        (lambda values: np.array(values[0]), r"is of shape \(\)"),
        (lambda values: "1" * len(values), "is str: expected a sequence"),
        (lambda values: dict(enumerate(values)), "is dict"),
        (lambda values: {"a", "b", "c"}, "is set"),
    ],
)
def test_what_is_no_sequence_of_labels_is_refused_by_name(argument, make, message):
    labels = SIDES | {argument: make(SIDES[argument])}
    with pytest.raises(ValueError, match=f"{argument} {message}"):
        evaluate(DISTANCES, **labels, protocol="official")


@pytest.mark.parametrize("flags", ["gallery_junk", "gallery_queries"])
def test_flags_may_be_tensors_too(flags):
    marked = [True, False, False, False]
    expected = Task(DISTANCES, **SIDES, protocol="query_excluded", **{flags: marked})
    for given in (torch.tensor(marked), [torch.tensor(each) for each in marked], pd.Series(marked)):
        found = Task(DISTANCES, **SIDES, protocol="query_excluded", **{flags: given})
        assert found.columns.tolist() == expected.columns.tolist() == [1, 3]


def test_a_case_by_hand():
    """40 probes whose persons are tensors: all of them have their match."""
    persons = torch.arange(40)
    distances = 1 - np.eye(40)
    for probes in (persons, list(persons), persons.numpy(), persons.tolist()):
        found = evaluate(distances, probes, persons.numpy(), [1] * 40, [2] * 40)
        assert (found.probes_without_match, found.cmc[0]) == (0, 1.0)


def test_values_are_those_of_python():
    assert plain_values("ids", torch.tensor([1.5, 2.0]), 2) == [1.5, 2.0]
    probes, gallery = paired_labels("persons", np.array(["a"]), ["b", np.str_("a")], (1, 2))
    assert (probes, gallery) == (["a"], ["b", "a"])
