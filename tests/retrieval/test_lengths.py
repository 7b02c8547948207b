"""The matrix of lengths against a plain loop, and what it refuses."""

import numpy as np
import pandas as pd
import pytest

from wherewhen.retrieval.distances import euclidean
from wherewhen.retrieval.lengths import length_matrix

LENGTHS = (1, 2, 8)


@pytest.fixture
def embeddings():
    """Six persons, five frames each, seen the more clearly the more frames there are."""
    generator = np.random.default_rng(3)
    identity = generator.normal(size=(6, 4))
    rows = []
    for frames in LENGTHS:
        for role, camera in (("probe", "a"), ("gallery", "b")):
            for person in range(6):
                taken = min(frames, 5)
                start = 5 - taken if role == "gallery" else 0
                noise = generator.normal(size=4) * 1.5 / frames
                rows.append(
                    (frames, f"{camera}/{person}", str(person), camera, role, start, start + taken,
                     identity[person] + noise)
                )  # fmt: skip
    names = ["frames", "tracklet", "person", "camera", "role", "start", "stop", "vector"]
    return pd.DataFrame(rows, columns=names).sample(frac=1, random_state=0)


def test_every_pair_of_lengths_as_by_a_plain_loop(embeddings):
    matrix = length_matrix(embeddings, euclidean)
    assert len(matrix) == len(LENGTHS) ** 2
    for row in matrix.itertuples():
        of_probes = embeddings[(embeddings.role == "probe")
                               & (embeddings.frames == row.probe_frames)]  # fmt: skip
        of_gallery = embeddings[(embeddings.role == "gallery")
                                & (embeddings.frames == row.gallery_frames)]  # fmt: skip
        first = precision = 0.0
        for probe in of_probes.itertuples():
            distances = [np.linalg.norm(probe.vector - other) for other in of_gallery.vector]
            order = of_gallery.person.to_numpy()[np.argsort(distances)].tolist()
            rank = order.index(probe.person) + 1
            first += (rank == 1) / 6
            precision += 1 / rank / 6
        assert matrix.at[row.Index, "rank-1"] == pytest.approx(first)
        assert row.mAP == pytest.approx(precision)
    assert matrix["rank-1"].nunique() > 1


def test_tracklets_without_so_many_frames_are_counted(embeddings):
    matrix = length_matrix(embeddings, euclidean).set_index(["probe_frames", "gallery_frames"])
    assert matrix.loc[(2, 8), ["probes_shorter", "gallery_shorter"]].tolist() == [0, 1]
    assert matrix.loc[(8, 1), ["probes_shorter", "gallery_shorter"]].tolist() == [1, 0]


def test_a_tracklet_that_a_length_lacks_is_named(embeddings):
    left = embeddings[~((embeddings.frames == 2) & (embeddings.tracklet == "b/4"))]
    with pytest.raises(ValueError, match="gallery b/4 is missing among those of 2 frames"):
        length_matrix(left, euclidean)


def test_the_protocol_is_held(embeddings):
    with pytest.raises(ValueError, match=r"evaluate\.protocol is official"):
        length_matrix(embeddings, euclidean, "official")
