import json
import os
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from safetensors import safe_open
from safetensors.numpy import save_file
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer

from wherewhen.metric_learning import KISSME, LFDA, distance_of, fit_metrics, metric_pipeline
from wherewhen.metric_learning.files import LAYOUT, MetricsFileError, read_metrics, write_metrics

EVERY = {"kissme": {}, "lfda": {"k": 3}, "rank_svm": {}, "xqda": {}}


def clips(samples=48, dimensions=30, seed=0):
    """Make persons of eight clips, four in each of two cameras."""
    generator = np.random.default_rng(seed)
    person = np.arange(samples) // 8
    where = np.arange(samples) // 4 % 2
    vectors = (
        generator.normal(size=(samples, dimensions))
        + 2 * generator.normal(size=(samples // 8, dimensions))[person]
    )
    return vectors, person, where


def fitted(options=EVERY, dimension=10, **kind):
    return fit_metrics(*clips(**kind), options, dimension=dimension)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.safetensors"


def content(path):
    with safe_open(path, framework="numpy") as opened:
        header = json.loads(opened.metadata()["metrics"])
        names = opened.keys()
        return header, {name: opened.get_tensor(name) for name in names}


def put(path, header, tensors):
    save_file(tensors, path, metadata={"metrics": json.dumps(header)})


@pytest.fixture
def changed(path):
    """Write metrics, and let a test change their file's header and tensors."""

    def change(by, options=EVERY):
        write_metrics(fitted(options), path)
        header, tensors = content(path)
        by(header, tensors)
        put(path, header, tensors)

    return change


class TestRoundTrip:
    @pytest.mark.parametrize(
        ("options", "dimension", "shape"),
        [
            (EVERY, 10, {}),
            (EVERY, 1, {}),
            (EVERY, 150, {"dimensions": 7}),  # the PCA gives way
            ({"kissme": {"projection": "mars", "shrinkage_scale": "samples"}}, 10, {}),
            ({"lfda": {"embedding": "orthonormalized", "n_components": 3}}, 10, {}),
            ({"xqda": {"n_components": 1}, "rank_svm": {"penalty": np.float64(3)}}, 10, {}),
            ({"kissme": {}}, 4, {"samples": 1008, "dimensions": 1001}),  # a randomised PCA
        ],
    )
    @pytest.mark.filterwarnings("ignore:PCA to 150 dimensions")
    def test_distances_are_equal_to_the_bit(self, path, options, dimension, shape):
        metrics = fitted(options, dimension, **shape)
        write_metrics(metrics, path)
        again = read_metrics(path)
        assert list(again) == list(metrics)
        vectors, *_ = clips(**shape, seed=1)
        for name, metric in metrics.items():
            for probes in (vectors[:1], vectors[:9]):  # products with vectors and with matrices
                before, after = (
                    distance_of(each)(probes, vectors) for each in (metric, again[name])
                )
                assert_array_equal(before, after)

    def test_float32_takes_half_the_room_and_rounds(self, path, tmp_path):
        metrics, small = fitted(dimensions=200), tmp_path / "small.safetensors"
        write_metrics(metrics, path)
        write_metrics(metrics, small, precision="float32")
        assert small.stat().st_size < 0.6 * path.stat().st_size
        vectors, *_ = clips(dimensions=200, seed=1)
        for name, metric in read_metrics(small).items():
            before, after = (
                distance_of(each)(vectors, vectors) for each in (metrics[name], metric)
            )
            assert after.dtype == np.float64
            assert 0 < np.abs(after - before).max() < 1e-4 * np.abs(before).max()

    def test_metrics_without_normalisation_and_fitted_as_pipelines(self, path):
        vectors, person, where = clips()
        metrics = {
            "plain": metric_pipeline("rank_svm", normalise=False).fit(vectors, person),
            "cameras": metric_pipeline("xqda", 10).fit(vectors, person, xqda__cameras=where),
        }
        write_metrics(metrics, path)
        for name, metric in read_metrics(path).items():
            assert_array_equal(
                distance_of(metric)(vectors, vectors), distance_of(metrics[name])(vectors, vectors)
            )

    def test_everything_public_comes_back(self, path):
        metrics = fitted()
        write_metrics(metrics, path)
        for name, metric in read_metrics(path).items():
            before = metrics[name]
            assert list(metric.named_steps) == list(before.named_steps)
            assert str(metric.get_params()) == str(before.get_params())
            for after, step in zip(metric, before, strict=True):
                attributes = {key for key in vars(step) if key[0] != "_" and key[-1] == "_"}
                assert attributes == {key for key in vars(after) if key[-1] == "_"}
                for key in attributes:
                    assert_array_equal(getattr(after, key), getattr(step, key))

    def test_the_order_of_the_metrics_stays_and_none_is_allowed(self, path):
        write_metrics({name: fitted()[name] for name in ("xqda", "kissme", "lfda")}, path)
        assert list(read_metrics(path)) == ["xqda", "kissme", "lfda"]
        write_metrics({}, path)
        assert read_metrics(path) == {}

    def test_a_shared_pca_is_stored_and_read_once(self, path):
        write_metrics(fitted(), path)
        header, tensors = content(path)
        assert [name for name, _ in header["steps"]] == [
            "normalise", "pca", "kissme", "lfda", "rank_svm", "xqda",
        ]  # fmt: skip
        assert [name for name in tensors if "mean_" in name] == ["1.mean_"]
        again = read_metrics(path)
        assert again["kissme"]["pca"] is again["xqda"]["pca"]

    def test_a_file_made_by_hand_measures_as_worked_out_by_hand(self, path):
        header = {
            "layout": LAYOUT,
            "metrics": [["mine", [0]], ["rank_svm", [2, 1]]],
            "steps": [["lfda", {}], ["rank_svm", {}], ["normalise", {"norm": "l1"}]],
        }
        tensors = {f"{number}.n_features_in_": np.array(2) for number in range(3)} | {
            "0.components_.T": np.array([[3.0, 1.0], [0.0, 2.0]]),
            "0.eigenvalues_": np.array([9.0, 4.0]),
            "1.weights_": np.array([1.0, -2.0]),
            "1.triplets_": np.array(1),
        }
        put(path, header, tensors)
        metrics = read_metrics(path)
        probe, gallery = [[1.0, 3.0]], [[2.0, 5.0], [1.0, 1.0]]
        # L = [[3, 0], [1, 2]], L (1, 2)' = (3, 5)', and L (0, -2)' = (0, -4)'
        found = distance_of(metrics["mine"])(probe, gallery)[0]
        assert found.tolist() == [pytest.approx(34**0.5), 4.0]
        # (1/4, 3/4) and (1/2, 1/2): -(1/4) + 2 (1/4)
        assert distance_of(metrics["rank_svm"])(probe, gallery)[0, 1] == 0.25


class TestBytes:
    def test_equal_metrics_make_equal_files(self, path):
        files = set()
        for _ in range(4):
            write_metrics(fitted(), path)
            files.add(path.read_bytes())
        write_metrics(read_metrics(path), path)
        assert files == {path.read_bytes()}

    def test_whether_equal_steps_are_one_object_does_not_matter(self, path):
        vectors, person, where = clips()
        options = {"kissme": {}, "lfda": {}}
        write_metrics(fit_metrics(vectors, person, where, options, 10), path)
        together = path.read_bytes()
        alone = {kind: metric_pipeline(kind, 10).fit(vectors, person) for kind in options}
        write_metrics(alone, path)
        assert path.read_bytes() == together

    def test_another_process_without_torch_makes_the_same_file(self, path):
        program = (
            "import sys, numpy as np\n"
            "from wherewhen.metric_learning import fit_metrics\n"
            "from wherewhen.metric_learning import write_metrics\n"
            "X, who = np.eye(12)[:, :5] + np.arange(60).reshape(12, 5) % 7, np.arange(12) // 3\n"
            "write_metrics(fit_metrics(X, who, who, {'lfda': {}, 'kissme': {}}, 3), path)\n"
        )
        exec(program, {"path": path})
        here = path.read_bytes()
        other = path.with_name("other.safetensors")
        program = (
            f"path = {str(other)!r}\n{program}assert not {{'torch', 'kedro'}} & {{*sys.modules}}"
        )
        environment = os.environ | {"PYTHONHASHSEED": "1"}
        subprocess.run([sys.executable, "-c", program], check=True, env=environment)
        assert other.read_bytes() == here


class Swapped(BaseEstimator):
    def distance(self, probes, gallery):
        return probes @ gallery.T


class OtherKISSME(KISSME):
    pass


class TestRefusedToBeWritten:
    @pytest.mark.parametrize(
        ("metric", "message"),
        [
            (Pipeline([("swapped", Swapped())]), "step swapped is of class Swapped: expected a s"),
            (Pipeline([("xqda", LFDA())]), "step xqda is of class LFDA: expected a step"),
            (Pipeline([("kissme", OtherKISSME())]), "is of class OtherKISSME"),
            (metric_pipeline("lfda"), "step normalise has no n_features_in_: fit it first"),
            (LFDA(), "metric m is of class LFDA: expected a fitted Pipeline"),
        ],
    )
    def test_what_reading_could_not_rebuild(self, path, metric, message):
        with pytest.raises(MetricsFileError, match=message) as raised:
            write_metrics({"m": metric}, path)
        assert str(path) in str(raised.value)
        assert not path.exists()

    def test_a_state_of_random_numbers(self, path):
        metrics = fitted({"rank_svm": {"random_state": np.random.RandomState(0)}})
        with pytest.raises(MetricsFileError, match="step rank_svm: parameter random_state is R"):
            write_metrics(metrics, path)

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_values_that_are_not_finite_keep_the_old_file(self, path, value):
        metrics = fitted({"lfda": {}})
        write_metrics(metrics, path)
        before = path.read_bytes()
        metrics["lfda"]["lfda"].components_[0, 0] = value
        with pytest.raises(MetricsFileError, match="components_ has NaN or infinite values"):
            write_metrics(metrics, path)
        assert path.read_bytes() == before
        assert list(path.parent.iterdir()) == [path]


def without(tensor):
    return lambda header, tensors: tensors.pop(tensor)


def with_tensor(name, make):
    return lambda header, tensors: tensors.update({name: np.asarray(make(tensors.get(name)))})


def with_step(number, name=None, parameters=None):
    def change(header, _):
        before = header["steps"][number]
        header["steps"][number] = [
            name or before[0],
            before[1] if parameters is None else parameters,
        ]

    return change


def with_metric(*numbers):
    return lambda header, tensors: header["metrics"][0].__setitem__(1, [*numbers])


def spoilt(value):
    def spoil(array):
        array = array.copy()
        array.flat[-1] = value
        return array

    return spoil


class TestHostile:
    """Steps of `changed`: 0 normalise, 1 pca, 2 kissme, 3 lfda, 4 rank_svm, 5 xqda."""

    @pytest.mark.parametrize(
        ("by", "message"),
        [
            (with_step(0, "os.system"), "step 0 is 'os.system': expected one of normalise, pca"),
            (with_step(0, ["kissme"]), r"step 0 is \['kissme'\]: expected one"),
            (
                with_step(2, parameters={"__class__": "x"}),
                "Invalid parameter .* for estimator KISSME",
            ),
            (with_step(2, parameters={"_fit": 1}), "Invalid parameter '_fit' for estimator KISSME"),
            (with_step(2, parameters={"shrinkage": [1]}), "parameter shrinkage is .1.: expected a"),
            (with_step(2, parameters="abc"), "can't be read as fitted metrics"),
            (
                with_tensor("0.n_features_in_", lambda _: np.array(3)),
                "step pca takes 30 features, but the step before gives 3",
            ),
            (with_tensor("2.similar_pairs_", lambda x: x - 999), "is -.*: expected a whole number"),
            (with_tensor("2.similar_pairs_", np.float64), "is float64 .*: expected int64 with 0"),
            (with_tensor("0.n_features_in_", lambda x: x > 0), "is bool .*: expected int64 with 0"),
            (without("1.components_.T"), "the tensor 1.components_ is missing"),
            (without("2.dissimilar_pairs_"), "the tensor 2.dissimilar_pairs_ is missing"),
            (with_tensor("9.more", lambda _: np.zeros(2)), "no step has the tensors 9.more"),
            (with_tensor("2.components_", spoilt(np.nan)), "2.components_ has NaN or infinite"),
            (with_tensor("4.weights_", spoilt(-np.inf)), "4.weights_ has NaN or infinite"),
            (with_tensor("1.mean_", lambda x: x[:-1]), r"mean_ has shape .29,.: expected .30,."),
            (with_tensor("1.components_.T", lambda x: x[:-1]), r"\(10, 29\): expected \(10, 30\)"),
            (with_tensor("3.components_", lambda x: x.ravel()), "with 1 axes: expected float64"),
            (with_tensor("5.components_", lambda x: x[:0]), "nothing empty"),
            (with_tensor("4.weights_", np.float16), "4.weights_ is float16 with 1 axes: expected"),
            (lambda header, _: header.pop("steps"), "can't be read as fitted metrics"),
            (lambda header, _: header.update(steps=7), "can't be read as fitted metrics"),
            (lambda header, _: header["metrics"].append(header["metrics"][0]), "is there twice"),
            (lambda header, _: header["metrics"][0].pop(), "can't be read as fitted metrics"),
            (with_metric(99), "has the steps .99.: expected from 0 to 5"),
            (with_metric(0, True, 2), "has the steps .*True.*: expected from 0 to 5"),
            (with_metric(0, 1), "has the steps normalise, pca: expected some of normalise, pca"),
            (with_metric(), "has the steps none"),
            (with_metric(1, 1, 2), "has the steps pca, pca, kissme"),
            (with_metric(2, 1, 0), "has the steps kissme, pca, normalise"),
            (with_metric(1, 0, 2), "has the steps pca, normalise, kissme"),
            (lambda header, _: header.update(layout=3), "in layout 3 and not 2"),
        ],
    )
    def test_a_changed_file_is_refused(self, path, changed, by, message):
        changed(by)
        with pytest.raises(MetricsFileError, match=message) as raised:
            read_metrics(path)
        assert str(path) in str(raised.value)
        assert "learn the metrics again" in str(raised.value)

    @pytest.mark.parametrize("header", ["{", "[]", "null", '{"a": 1}', "[" * 100_000, '"\ud83d"'])
    def test_a_header_that_is_no_description(self, path, header):
        save_file(
            {"x": np.zeros(2)},
            path,
            metadata={"metrics": header.encode("utf-8", "replace").decode()},
        )
        with pytest.raises(MetricsFileError, match="can't be read as fitted metrics"):
            read_metrics(path)

    def test_a_file_of_an_earlier_version(self, path):
        header = {
            "metrics": [["lfda", [["lfda", 0]]]],
            "steps": [{"class": "LFDA", "numbers": {}, "orders": {}, "parameters": {}}],
        }
        put(path, header, {"0.components_": np.eye(2)})
        message = "by another version of wherewhen, in layout 1 and not 2.*learn the metrics again"
        with pytest.raises(MetricsFileError, match=message):
            read_metrics(path)

    def test_a_file_of_something_else(self, path):
        save_file({"weight": np.zeros(2)}, path)
        with pytest.raises(MetricsFileError, match="there is no `metrics` in its header"):
            read_metrics(path)

    @pytest.mark.parametrize("kept", [0, 4, 200, -1])
    def test_a_truncated_file(self, path, kept):
        write_metrics(fitted(), path)
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(MetricsFileError, match="delete it and learn the metrics again"):
            read_metrics(path)

    def test_a_file_that_is_not_there(self, path):
        with pytest.raises(FileNotFoundError, match=r"metrics\.safetensors"):
            read_metrics(path)

    @pytest.mark.parametrize("dump", [pickle.dump, joblib.dump])
    def test_a_pickle_under_the_name_is_not_executed(self, path, dump):
        opened = path.with_name("executed")

        class Planted:
            def __reduce__(self):
                return os.mkdir, (str(opened),)

        with path.open("wb") as file:
            dump(Planted(), file)
        with pytest.raises(MetricsFileError, match="can't be read as fitted metrics"):
            read_metrics(path)
        assert not opened.exists()
        joblib.load(path)  # it would have worked
        assert opened.exists()


def test_a_normaliser_alone_is_stored_as_part_of_a_metric_only(path):
    pipeline = Pipeline([("normalise", Normalizer().fit(np.eye(2)))])
    with pytest.raises(MetricsFileError, match="has the steps normalise: expected some of"):
        write_metrics({"m": pipeline}, path)
