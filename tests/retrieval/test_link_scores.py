from itertools import combinations, permutations

import numpy as np
import pytest

from wherewhen.retrieval.link_scores import link_scores


def test_by_hand():
    """Anna is split into 1 and 2; Bert's first tracklet lies with hers in 1; Carl is alone."""
    persons = ["anna", "anna", "anna", "bert", "bert", "carl"]
    groups = [1, 1, 2, 1, 3, 4]
    lengths = [10, 20, 40, 30, 5, 7]
    scores = link_scores(persons, groups, lengths)
    assert scores["pairwise precision"] == pytest.approx(1 / 3)  # of 3 pairs in group 1
    assert scores["pairwise recall"] == pytest.approx(1 / 4)  # of 3 of Anna and 1 of Bert
    assert scores["pairwise F1"] == pytest.approx(2 / 7)
    # Anna is group 2 (40 frames) and Bert 1 (30), although she has as many in 1 as he has
    assert scores["IDF1"] == pytest.approx((40 + 30 + 7) / 112)


def test_a_perfect_partition():
    assert set(link_scores([5, 5, 7], ["x", "x", "y"]).values()) == {1.0}


@pytest.mark.parametrize("seed", range(4))
def test_against_all_assignments_and_all_pairs(seed):
    generator = np.random.default_rng(seed)
    persons, groups = generator.integers(4, size=(2, 12))
    lengths = generator.integers(1, 50, size=12)
    names, numbers = range(4), range(4)
    best = max(
        sum(
            lengths[(persons == name) & (groups == number)].sum()
            for name, number in zip(names, order, strict=True)
        )
        for order in permutations(numbers)
    )
    pairs = list(combinations(range(12), 2))
    linked = {pair for pair in pairs if groups[pair[0]] == groups[pair[1]]}
    true = {pair for pair in pairs if persons[pair[0]] == persons[pair[1]]}
    precision, recall = len(linked & true) / len(linked), len(linked & true) / len(true)
    assert link_scores(persons, groups, lengths) == pytest.approx(
        {
            "pairwise precision": precision,
            "pairwise recall": recall,
            "pairwise F1": 2 * precision * recall / (precision + recall),
            "IDF1": best / lengths.sum(),
        },
        nan_ok=True,
    )


def test_measures_without_pairs_are_no_numbers():
    scores = link_scores(["anna", "anna"], [1, 2])
    assert np.isnan(scores["pairwise precision"])
    assert (scores["pairwise recall"], scores["pairwise F1"], scores["IDF1"]) == (0, 0, 0.5)
    assert np.isnan(link_scores(["anna", "bert"], [1, 2])["pairwise F1"])


def test_what_is_refused():
    with pytest.raises(ValueError, match="2 persons, 1 groups, 2 lengths: expected one of each"):
        link_scores(["a", "b"], [1])
    with pytest.raises(ValueError, match="0 persons"):
        link_scores([], [])
