import faiss
import numpy as np
import pytest

from wherewhen.search.kinds import HNSW, IVF, KINDS

SHORT_CUTS = ["ivf", "hnsw"]


@pytest.fixture
def vectors(gallery):
    return gallery(2000, persons=200)[1]


@pytest.mark.parametrize("kind", SHORT_CUTS)
def test_equal_vectors_make_equal_files(kind, vectors, tmp_path):
    before = faiss.omp_get_max_threads()
    for threads in (1, 3):
        faiss.omp_set_num_threads(threads)
        try:
            KINDS[kind].build(vectors).write(tmp_path / f"{threads}")
            assert faiss.omp_get_max_threads() == threads
        finally:
            faiss.omp_set_num_threads(before)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "3").read_bytes()


@pytest.mark.parametrize("kind", SHORT_CUTS)
@pytest.mark.parametrize("grown", [False, True])
def test_what_was_written_is_what_is_read(kind, grown, vectors, tmp_path):
    built = KINDS[kind].build(vectors[:1500])
    built = built.extended(vectors[1500:]) if grown else built
    built.write(tmp_path / "file")
    read = KINDS[kind].read(tmp_path / "file", built.vectors)
    for rows in (None, np.arange(0, 1500, 2)):
        for ours, others in zip(
            read.nearest(vectors, 10, rows), built.nearest(vectors, 10, rows), strict=True
        ):
            np.testing.assert_array_equal(ours, others)
    read.extended(vectors[:5] + np.float32(9))  # a read one grows, too
    assert read.nearest(vectors[:5] + np.float32(9), 1)[1].max() == 0


def test_a_graph_is_kept_without_the_vectors(vectors, tmp_path):
    HNSW.build(vectors).write(tmp_path / "file")
    content = (tmp_path / "file").read_bytes()
    assert not any(vector.tobytes() in content for vector in vectors)


def test_files_of_other_vectors(vectors, tmp_path):
    IVF.build(vectors).write(tmp_path / "ivf")
    HNSW.build(vectors).write(tmp_path / "hnsw")
    for kind, said in ((IVF, "groups are of other vectors"), (HNSW, "graph is of other vectors")):
        for other in (vectors[:9], np.hstack([vectors, vectors])):
            with pytest.raises(ValueError, match=said):
                kind.read(tmp_path / kind.name, other)
    faiss.write_index(faiss.IndexFlatL2(8), str(tmp_path / "flat"))
    with pytest.raises(ValueError, match="it is a IndexFlat"):
        HNSW.read(tmp_path / "flat", vectors)
    (tmp_path / "flat").write_bytes(b"no index")
    with pytest.raises(ValueError, match="FAISS can't read it"):
        HNSW.read(tmp_path / "flat", vectors)


def test_all_groups_are_used_by_their_nearest_vectors():
    corners = np.array([[0, 0], [0, 9], [9, 0]], dtype=np.float32)
    vectors = np.tile(corners, (60, 1)) + np.float32(0.01) * np.arange(180)[:, None] / 180
    vectors = vectors.astype(np.float32)
    built = IVF.build(vectors)
    assert built._lists.nlist == 4  # 180 // 39
    found, _ = built.nearest(corners, 40)
    assert [set(rows % 3) for rows in found] == [{0}, {1}, {2}]
