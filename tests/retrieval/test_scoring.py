import numpy as np
import pytest

from wherewhen.retrieval import Task, evaluate, score


def task(probes=40, seed=0):
    """One match a probe, two probes without one."""
    generator = np.random.default_rng(seed)
    persons = [f"p{i}" for i in range(probes)]
    gallery = persons[2:]
    distances = generator.random((probes, len(gallery))) + 0.3
    distances[np.arange(2, probes), np.arange(len(gallery))] -= 0.4
    return distances, persons, gallery, ["a"] * probes, ["b"] * len(gallery)


def test_every_number_has_its_name():
    measures = score(Task(*task()), max_rank=5)
    assert list(measures) == [
        *(f"rank-{rank}" for rank in range(1, 6)),
        "mAP",
        "mAP-trapezoid",
        *("rank-1-low", "rank-5-low", "mAP-low", "mAP-trapezoid-low"),
        *("rank-1-high", "rank-5-high", "mAP-high", "mAP-trapezoid-high"),
        *("tpr@fpr=1%", "tpr@fpr=0.1%", "eer"),
        *("probes", "probes-without-match", "ties"),
    ]
    assert all(type(value) is float for value in measures.values())
    assert (measures["probes"], measures["probes-without-match"], measures["ties"]) == (40, 2, 0)


def test_the_means_are_those_of_evaluate_and_lie_in_their_intervals():
    measures = score(Task(*task()), max_rank=5)
    for definition in ("mean_precision", "trapezoid"):
        evaluated = evaluate(*task(), average_precision=definition, max_rank=5).measures()
        assert evaluated == {name: pytest.approx(measures[name]) for name in evaluated}
    for name in ("rank-1", "rank-5", "mAP", "mAP-trapezoid"):
        assert measures[f"{name}-low"] < measures[name] < measures[f"{name}-high"]


def test_few_pairs_show_no_small_rate_and_no_resamples_no_interval():
    measures = score(Task(*task(probes=12)), resamples=0)
    assert "tpr@fpr=1%" in measures  # 110 pairs of two persons
    assert "tpr@fpr=0.1%" not in measures
    assert not any(name.endswith("-low") for name in measures)


def test_a_gallery_of_matches_alone_has_no_open_set_figures():
    measures = score(Task([[0.5]], ["x"], ["x"], ["a"], ["b"]), max_rank=1)
    assert measures["rank-1"] == 1.0
    assert "eer" not in measures
