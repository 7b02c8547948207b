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
from wherewhen.metric_learning.files import (
    CLASSES,
    LAST,
    MetricsFileError,
    read_metrics,
    write_metrics,
)

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
            ({"kissme": {"projection": "mars", "dissimilar_pairs": 40}}, 10, {}),
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
            steps = [*zip(metric, before, strict=True)]
            if "pca" in before.named_steps:
                steps += [(metric["pca"].pca_, before["pca"].pca_)]
            for after, step in steps:
                attributes = {key for key in vars(step) if key[0] != "_" and key[-1] == "_"}
                assert attributes == {key for key in vars(after) if key[-1] == "_"}
                for key in attributes - {"pca_"}:
                    assert_array_equal(getattr(after, key), getattr(step, key))

    def test_the_order_of_the_metrics_stays_and_none_is_allowed(self, path):
        write_metrics({name: fitted()[name] for name in ("xqda", "kissme", "lfda")}, path)
        assert list(read_metrics(path)) == ["xqda", "kissme", "lfda"]
        write_metrics({}, path)
        assert read_metrics(path) == {}

    def test_a_shared_pca_is_stored_and_read_once(self, path):
        write_metrics(fitted(), path)
        header, tensors = content(path)
        assert [step["class"] for step in header["steps"]] == [
            "Normalizer", "CappedPCA", "KISSME", "LFDA", "RankSVM", "XQDA",
        ]  # fmt: skip
        assert [name for name in tensors if name.endswith("mean_")] == ["1.pca_.mean_"]
        again = read_metrics(path)
        assert again["kissme"]["pca"] is again["xqda"]["pca"]

    def test_every_metric_there_is_can_be_stored(self):
        assert set(LAST) <= set(CLASSES)
        for name, stored in CLASSES.items():
            assert stored.make.__name__ == name

    def test_a_file_made_by_hand_measures_as_worked_out_by_hand(self, path):
        counts = {"n_features_in_": 2}
        step = {"parameters": {}, "orders": {}, "parts": {}}
        header = {
            "metrics": [["lfda", [["lfda", 0]]], ["rank_svm", [["normalise", 2], ["rank_svm", 1]]]],
            "steps": [
                {**step, "class": "LFDA", "numbers": counts,
                 "orders": {"components_": "F", "eigenvalues_": "C"}},
                {**step, "class": "RankSVM", "numbers": {**counts, "triplets_": 1},
                 "orders": {"weights_": "C"}},
                {**step, "class": "Normalizer", "numbers": counts, "parameters": {"norm": "l1"}},
            ],
        }  # fmt: skip
        tensors = {
            "0.components_": np.array([[3.0, 0.0], [0.0, 2.0]]),
            "0.eigenvalues_": np.array([9.0, 4.0]),
            "1.weights_": np.array([1.0, -2.0]),
        }
        put(path, header, tensors)
        metrics = read_metrics(path)
        probe, gallery = [[1.0, 3.0]], [[2.0, 5.0], [1.0, 1.0]]
        # (3 (2 - 1))^2 + (2 (5 - 3))^2 = 25 and (2 (1 - 3))^2 = 16
        assert distance_of(metrics["lfda"])(probe, gallery).tolist() == [[5.0, 4.0]]
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
            "from wherewhen.metric_learning.files import write_metrics\n"
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
            (Pipeline([("swapped", Swapped())]), "step swapped is of class Swapped: expected one"),
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
        metrics = fitted({"kissme": {"random_state": np.random.RandomState(0)}})
        with pytest.raises(MetricsFileError, match="step pca: parameter random_state is Random"):
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
    return lambda header, tensors: tensors.update({name: make(tensors.get(name))})


def with_step(number, **entries):
    return lambda header, tensors: header["steps"][number].update(entries)


def spoilt(value):
    def spoil(array):
        array = array.copy()
        array.flat[-1] = value
        return array

    return spoil


def planted(header, tensors):
    header["steps"][1]["parts"]["pca_"]["class"] = "Normalizer"


def chained(header, tensors):
    header["metrics"][0][1] = [["pca", 1], ["pca again", 1], ["kissme", 2]]


class TestHostile:
    """Steps of `changed`: 0 Normalizer, 1 CappedPCA, 2 KISSME, 3 LFDA, 4 RankSVM, 5 XQDA."""

    @pytest.mark.parametrize(
        ("by", "message"),
        [
            (
                with_step(0, **{"class": "os.system"}),
                "step 0 is of class 'os.system': expected one",
            ),
            (with_step(0, **{"class": ["KISSME"]}), r"is of class \['KISSME'\]"),
            (with_step(0, **{"class": "PCA"}), "step 0 is of class 'PCA'"),
            (planted, "step 1.pca_ is of class 'Normalizer': expected one of PCA"),
            (with_step(2, parameters={"__class__": "x"}), "parameters that KISSME doesn't know"),
            (with_step(2, parameters={"shrinkage": [1]}), "parameter shrinkage is .1.: expected a"),
            (with_step(2, parameters=None), "parameters that KISSME doesn't know"),
            (with_step(2, numbers={}), "step 2, numbers should have dissimilar_pairs_, n_feat"),
            (with_step(2, orders={"components_": "K"}), "order 'K': expected C or F"),
            (with_step(2, __reduce__="x"), "step 2 should have class, numbers, orders, param"),
            (
                with_step(0, numbers={"n_features_in_": 3}),
                "step pca takes 30 features, but the step before gives 3",
            ),
            (with_step(0, numbers={"n_features_in_": -1}), "-1: expected a whole number from 1"),
            (with_step(0, numbers={"n_features_in_": True}), "True: expected a whole number"),
            (without("2.components_"), "the tensor 2.components_ is missing"),
            (with_tensor("9.more", lambda _: np.zeros(2)), "no step has the tensors 9.more"),
            (with_tensor("2.components_", spoilt(np.nan)), "2.components_ has NaN or infinite"),
            (with_tensor("4.weights_", spoilt(-np.inf)), "4.weights_ has NaN or infinite"),
            (with_tensor("1.pca_.mean_", lambda x: x[:-1]), "mean_, shape .29,.: 29 .*expected 30"),
            (with_tensor("2.components_", lambda x: x[:-1]), "shape .9, 10.: 9 .*expected 10"),
            (with_tensor("3.components_", lambda x: x.ravel()), "has 1 axes: expected 2"),
            (with_tensor("5.components_", lambda x: x[:0]), "nothing along axis E"),
            (with_tensor("4.weights_", np.float32), "4.weights_ is float32: expected float64"),
            (chained, "step pca again takes 30 features, but the step before gives 10"),
            (lambda header, _: header.pop("steps"), "the header should have metrics, steps"),
            (lambda header, _: header.update(steps=7), "can't be read as fitted metrics"),
            (lambda header, _: header["metrics"].append(header["metrics"][0]), "is there twice"),
            (lambda header, _: header["metrics"][0].pop(), "can't be read as fitted metrics"),
            (lambda header, _: header["metrics"][0][1][0].__setitem__(1, 99), "from 0 to 5"),
            (lambda header, _: header["metrics"][0][1].pop(), "has the steps Normalizer, Capped"),
            (lambda header, _: header["metrics"][0][1].clear(), "has the steps none"),
            (
                lambda header, _: header["metrics"][0][1].reverse(),
                "step pca takes 30 features, but the step before gives 10",
            ),
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
    with pytest.raises(MetricsFileError, match="expected some of Normalizer, CappedPCA and then"):
        write_metrics({"m": pipeline}, path)
