import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.special import expit

from wherewhen import pretrained
from wherewhen.metric_learning.pipeline import distance_of
from wherewhen.model.encode import encode_tracklets
from wherewhen.pretrained import PretrainedError
from wherewhen.recogniser import Recogniser
from wherewhen.recogniser.recogniser import UNLIKE
from wherewhen.retrieval.distances import cosine
from wherewhen.tracklets.windows import Window


class TestEmbeddings:
    def test_they_are_the_networks_of_the_cubes(self, build, clips, one_thread):
        recogniser = build()
        cubes = recogniser.cubes(clips)
        windows = [Window(str(number), 0, len(clip)) for number, clip in enumerate(clips)]
        expected = encode_tracklets(recogniser.network, cubes, windows, progress=False).embeddings
        np.testing.assert_array_equal(recogniser.embed(clips), expected)

    def test_tracklets_do_not_depend_on_each_other(self, build, clips):
        together = build().embed(clips)
        alone = np.concatenate([build().embed([clip]) for clip in clips])
        np.testing.assert_allclose(together, alone, atol=1e-6)

    def test_of_a_long_tracklet_a_probes_first_and_a_galleries_last_frames(self, build, clips):
        recogniser, clip = build(), clips[2]
        cubes = recogniser.cubes([clip])
        for role, part in (("probe", clip[:2]), ("gallery", clip[-2:])):
            found = recogniser.describe(cubes, role, frames=2).embeddings
            np.testing.assert_allclose(found, recogniser.embed([part]), atol=1e-3)

    def test_no_tracklets(self, build):
        assert build().embed([]).shape == (0, build().network.embedding_size)


class TestDistances:
    def test_they_are_those_of_the_evaluation(self, build, clips):
        probes, gallery = build().embed(clips[:1]), build().embed(clips[1:])
        found = build("cosine").distances(probes, gallery)
        np.testing.assert_allclose(found, cosine(probes, gallery), atol=1e-9)
        recogniser = build("kissme")
        found = recogniser.distances(probes, gallery)
        expected = distance_of(recogniser._learned)(probes.astype(float), gallery.astype(float))
        np.testing.assert_allclose(found, expected, atol=1e-9)

    @pytest.mark.parametrize("metric", ["cosine", "kissme"])
    def test_projected_vectors_rank_by_the_euclidean_distance(self, build, clips, metric):
        recogniser = build(metric)
        embeddings = recogniser.embed(clips)
        projected = recogniser.project(embeddings)
        np.testing.assert_allclose(
            recogniser.from_euclidean(cdist(projected, projected)),
            recogniser.distances(embeddings, embeddings),
            atol=1e-9,
        )

    def test_the_cards_metric_is_the_default(self, build):
        assert build().metric == "kissme"
        with pytest.raises(PretrainedError, match="has no distance 'cosin'; did you mean cosine"):
            build("cosin")


def test_a_comparison_has_the_calibrated_probability(build, clips):
    found = build("cosine").compare(clips[0], clips[1])
    left, right = (build().embed([clip]) for clip in clips[:2])
    assert found.distance == pytest.approx(float(cosine(left, right)[0, 0]), abs=1e-6)
    assert found.probability == pytest.approx(expit(-(5 * found.distance - 2)))


def test_a_ranking_is_by_distance(build, clips):
    ranked = build("cosine").rank(clips[0], clips)
    assert ranked.columns.tolist() == ["rank", "gallery", "distance", "probability"]
    assert ranked["rank"].tolist() == [1, 2, 3]
    assert ranked.gallery.iloc[0] == 0
    assert ranked.distance.iloc[0] == pytest.approx(0, abs=1e-6)
    assert ranked.distance.is_monotonic_increasing
    assert len(build("cosine").rank(clips[0], clips, top=2)) == 2
    with pytest.raises(ValueError, match="gallery: expected at least one tracklet"):
        build().rank(clips[0], [])


def test_vectors_depend_on_the_files_and_the_metric(build):
    assert build("cosine").identity == build("cosine").identity
    assert build("cosine").identity != build("kissme").identity


@pytest.fixture(scope="module")
def recogniser():
    return Recogniser.from_pretrained("wherewhen", device="cpu")


class TestTheOneOfThePackage:
    def test_it_tells_rendered_people_of_different_clothes_apart(self, recogniser, clips):
        same, other = recogniser.compare(clips[0], clips[0][1:]), recogniser.compare(*clips[:2])
        assert same.distance < other.distance
        assert same.probability > other.probability

    def test_noise_is_unlike_its_training(self, recogniser, clips):
        described = recogniser.describe(recogniser.cubes(clips))
        assert recogniser.difference(described.means) > UNLIKE

    def test_its_backbone_is_built_for_the_first_frames(self, clips, monkeypatch):
        built = []
        load = pretrained.load_backbone
        monkeypatch.setattr(
            pretrained, "load_backbone", lambda *given: built.append(given) or load(*given)
        )
        recogniser = Recogniser.from_pretrained("wherewhen", device="cpu")
        recogniser.project(np.ones((1, recogniser.network.embedding_size)))
        assert not built
        recogniser.embed(clips[:1])
        recogniser.embed(clips[:1])
        assert len(built) == 1

    def test_another_folder_has_to_be_one(self, tmp_path):
        with pytest.raises(PretrainedError, match=r"card\.json is not there"):
            Recogniser.from_pretrained(tmp_path)

    def test_nothing_of_a_folder_is_executed(self, tmp_path):
        """A pickle in the place of a file is not opened."""
        import pickle
        import shutil

        class Planted:
            def __reduce__(self):
                return (open, (str(tmp_path / "executed"), "w"))

        for name in ("network.safetensors", "metrics.safetensors", "statistics.safetensors"):
            folder = tmp_path / name.partition(".")[0]
            shutil.copytree(pretrained.FOLDER, folder)
            (folder / name).write_bytes(pickle.dumps(Planted()))
            with pytest.raises(PretrainedError, match=f"{name} is not the file"):
                Recogniser.from_pretrained(folder)
        (folder / "card.json").write_bytes(pickle.dumps(Planted()))
        with pytest.raises(PretrainedError, match="can't be read as the card"):
            Recogniser.from_pretrained(folder)
        assert not (tmp_path / "executed").exists()


def test_a_look_has_attention_and_weight_of_every_frame(build, clips):
    recogniser = build("cosine")
    look = recogniser.look(clips[2])
    assert look.attention.shape == (5, 7, 7)
    np.testing.assert_allclose(look.attention.sum((1, 2)), 1, rtol=1e-5)
    assert look.frame_weights.sum() == pytest.approx(1)
    alone = recogniser.look(clips[2][:1])  # the first frame has no past
    np.testing.assert_allclose(alone.attention[0], look.attention[0], rtol=1e-2, atol=1e-4)
    assert alone.frame_weights.tolist() == [1]
