"""A run of the whole chain: what it prints, what it keeps, what MLflow knows of it."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from answers import ranked, rankings_of, served
from PIL import Image

from wherewhen.pretrained import load_card
from wherewhen.retrieval.scoring import COUNTS

TRIALS = ("trial_00", "trial_01")
LEARNED = {"cosine", "kissme", "lfda"}
METRICS = {
    "mean_pooled": LEARNED,
    "row_pooled": LEARNED,
    "untrained": LEARNED | {"euclidean", "siamese"},
    "network": LEARNED | {"euclidean", "siamese"},
}
FIGURES = (
    "people.png",
    "cmc_curves.png",
    "training_curves.png",
    "attention_over_time.png",
    "best_ranked.png",
    "worst_ranked.png",
    "where_and_when.png",
)


@pytest.fixture(scope="module")
def client(finished):
    mlflow.set_tracking_uri(f"sqlite:///{finished.root / 'mlflow.db'}")
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(None)


@pytest.fixture(scope="module")
def run(client):
    (experiment,) = client.search_experiments(filter_string="name = 'synthetic'")
    (only,) = client.search_runs([experiment.experiment_id])
    return only


@pytest.fixture(scope="module")
def download(run, tmp_path_factory):
    def fetch(path):
        return mlflow.artifacts.download_artifacts(
            run_id=run.info.run_id,
            artifact_path=path,
            dst_path=str(tmp_path_factory.mktemp("artifacts")),
        )

    return fetch


def artifacts(client, run, folder):
    return {file.path for file in client.list_artifacts(run.info.run_id, folder)}


def test_the_table_of_scores_is_printed(finished):
    output = (finished.root / "output.txt").read_text()
    for word in ("synthetic", "mean-pooled cubes", "row-pooled cubes", "untrained network", "mAP"):
        assert word in output
    assert "over 2 trials" in output
    assert "kedro mlflow ui" in output


def test_nothing_is_printed_that_only_worries(finished):
    output = (finished.root / "output.txt").read_text()
    for word in ("Traceback", "WARNING", "UserWarning", "DeprecationWarning"):
        assert word not in output, output


def test_progress_is_shown_in_frames_per_second(finished):
    output = (finished.root / "output.txt").read_text()
    for stage in ("synthesise", "extract"):
        assert any(
            stage in line and ("frame/s" in line or "frames/s" in line)
            for line in output.splitlines()
        )


def test_the_scores_are_complete(finished):
    scores = finished.scores()
    assert set(scores.trial) == set(TRIALS)
    assert set(scores.dataset) == {"synthetic"}
    assert set(scores.protocol) == {"single_match"}
    found = scores.groupby("features").metric.agg(set).to_dict()
    assert found == METRICS
    gallery = 6
    measures = {f"rank-{rank}" for rank in range(1, gallery + 1)}
    measures |= {"mAP", "mAP-trapezoid", "rank-1-low", "rank-1-high", "eer", *COUNTS}
    for _, rows in scores.groupby(["trial", "features", "metric"]):
        assert measures <= set(rows.measure)
        assert rows.measure.is_unique
    counts = scores.measure.isin(COUNTS)
    assert scores.value[~counts].between(0, 1).all()
    assert set(scores.value[scores.measure == "probes"]) == {gallery}


def test_every_probe_ranks_the_whole_gallery_once(finished):
    rankings = pd.read_parquet(finished.latest("08_reporting/synthetic/rankings.parquet"))
    for _, rows in rankings.groupby(["trial", "features", "metric", "probe"]):
        assert sorted(rows["rank"]) == list(range(1, 7))
        assert rows.gallery.is_unique
        assert rows.correct.sum() == 1


def test_the_figures_are_pictures(finished):
    for figure in FIGURES:
        with Image.open(finished.root / "data/08_reporting/synthetic" / figure) as picture:
            picture.load()
            assert min(picture.size) > 100, figure


def test_nobody_who_trains_is_tested(finished):
    folder = "05_model_input/synthetic"
    splits = pd.read_parquet(finished.latest(f"{folder}/splits.parquet"))
    for trial, rows in splits.groupby("trial"):
        train = set(rows[rows.role == "train"].person)
        test = set(rows[rows.role != "train"].person)
        assert train and test and not train & test
        own = finished.latest(f"{folder}/{trial}/split.parquet")
        assert set(pd.read_parquet(own).tracklet) == set(rows.tracklet)


def test_no_temporary_file_is_left(finished):
    data = finished.root / "data"
    assert not [path for path in data.rglob("*") if path.name.endswith((".tmp", ".unfinished"))]


class TestMlflow:
    def test_the_run_is_finished_and_says_what_it_is(self, run):
        assert run.info.status == "FINISHED"
        assert run.info.run_name == "demonstration · modern · 2 trials"
        assert run.data.tags["environment"] == "local"
        assert run.data.tags["command"].startswith(
            "uv run kedro run --params synthesise.persons=12"
        )

    def test_every_artifact_has_a_record_with_the_run(self, finished, run):
        records = [*finished.root.glob("data/**/record.json")]
        records += finished.root.glob("data/**/*.record.json")
        made = [json.loads(path.read_text()) for path in records]
        assert len(made) == 80
        assert {record["run_id"] for record in made} == {run.info.run_id}
        assert {record["commit"] for record in made} == {run.data.tags["git_commit"]}

    def test_the_whole_tree_of_parameters(self, run, download, tiny):
        with Path(download("parameters.yml")).open() as file:
            tree = yaml.safe_load(file)
        assert set(tree) >= {"synthesise", "ingest", "split", "extract", "train", "embed"}
        assert set(tree) >= {"learn_metric", "evaluate", "report"}
        for name, value in tiny.items():
            *path, last = name.replace(".modern", "").split(".")
            group = tree
            for part in path:
                group = group[part]
            assert group[last] == value
        assert tree["learn_metric"]["dimension"] == "auto"

    def test_parameters_are_the_effective_ones_and_can_be_compared_one_by_one(self, run):
        parameters = run.data.params
        assert parameters["train.training.epochs"] == "6"
        assert parameters["train.training.learning_rate"] == "0.001"
        assert parameters["train.network.hidden_kernels"] == "[[1, 1]]"
        assert parameters["split.trials"] == "2"
        assert parameters["extract.weights.source"] == "package"
        assert not [name for name in parameters if "modern" in name or "paper" in name]

    def test_data_and_split_are_datasets_of_the_run(self, run):
        found = {each.dataset.name: each.dataset.digest for each in run.inputs.dataset_inputs}
        assert found == {
            "synthetic": run.data.tags["dataset_fingerprint"],
            "synthetic split": run.data.tags["split_fingerprint"],
        }

    def test_what_is_no_artifact_is_listed_with_its_place_and_hash(self, run, finished, download):
        listed = json.loads(Path(download("lineage.json")).read_text())
        assert len(listed) == 80
        assert not [entry for entry in listed if entry["taken_over"]]
        by_name = {entry["artifact"]: entry for entry in listed}
        for name in ("trial_00.metrics_network", "trial_01.untrained_network", "frames"):
            entry = by_name[name]
            assert not entry["logged_here"]
            content = (finished.root / entry["place"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        assert by_name["scores"]["logged_here"]
        assert by_name["trial_00.model"]["logged_here"]

    @pytest.mark.parametrize("trial", TRIALS)
    def test_metrics_by_step(self, client, run, finished, trial):
        history = pd.read_parquet(finished.latest(f"06_models/synthetic/{trial}/history.parquet"))
        for name in (
            "loss",
            "cross_entropy",
            "penalty",
            "gradient_norm",
            "pair_accuracy",
            "pairs_per_second",
            "validation_loss",
        ):
            logged = client.get_metric_history(run.info.run_id, f"{trial}.{name}")
            steps = {metric.step: metric.value for metric in logged}
            expected = history.set_index("step")[name].dropna()
            assert len(logged) == len(steps) == len(expected) > 0
            assert steps == pytest.approx(expected.to_dict())

    def test_means_and_deviations_of_the_scores(self, run, finished):
        scores = finished.scores().set_index(["features", "metric", "measure"]).value
        for features, metrics in METRICS.items():
            for metric in metrics:
                values = scores[features, metric, "mAP"]
                name = f"score.{features}.{metric}.mAP"
                assert run.data.metrics[name] == pytest.approx(values.mean())
                assert run.data.metrics[f"{name}.std"] == pytest.approx(values.std(ddof=1))

    @pytest.mark.parametrize("trial", TRIALS)
    def test_a_trials_scores_are_those_of_its_model(self, client, run, finished, trial):
        (model,) = [
            model
            for model in client.search_logged_models([run.info.experiment_id])
            if model.name == trial
        ]
        numbers = {metric.key: metric.value for metric in model.metrics}
        own = finished.scores().query("trial == @trial and features == 'network'")
        expected = own.set_index(["metric", "measure"]).value
        for metric in ("cosine", "kissme"):
            name = f"{trial}.score.network.{metric}.rank-1"
            assert numbers[name] == pytest.approx(expected[metric, "rank-1"])
        assert {metric.dataset_digest for metric in model.metrics} == {
            run.data.tags["dataset_fingerprint"]
        }

    def test_what_it_came_from(self, run, finished):
        tags = run.data.tags
        head = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=finished.root, capture_output=True, text=True
        ).stdout.strip()
        assert tags["git_commit"] == head
        assert tags["git_dirty"] == "false"
        assert tags["dataset"] == "synthetic"
        report = finished.latest("02_intermediate/synthetic/ingest_report.json")
        assert tags["dataset_fingerprint"] == json.loads(report.read_text())["fingerprint"]
        splits = finished.latest("05_model_input/synthetic/split_fingerprints.json")
        assert tags["split_fingerprint"] == json.loads(splits.read_text())["splits"]
        (store,) = finished.root.glob("data/04_feature/synthetic/cubes/*/identity.json")
        weights = json.loads(store.read_text())["backbone"]["weights"]
        assert tags["weights_sha256"] == weights["sha256"]
        assert tags["cubes"] == store.parent.name

    def test_pictures_and_tables_are_artifacts(self, client, run):
        assert artifacts(client, run, "figures") == {f"figures/{name}" for name in FIGURES}
        assert artifacts(client, run, "scores") == {
            "scores/scores.parquet",
            "scores/rankings.parquet",
            "scores/summary.csv",
            "scores/reliability.csv",
        }
        assert "ingest/ingest_report.json" in artifacts(client, run, "ingest")
        assert "splits/splits.parquet" in artifacts(client, run, "splits")

    def test_no_embedding_is_an_artifact(self, client, run):
        """They are biometric templates: nothing of them may end where it is forgotten."""
        pending, names = [None], []
        while pending:
            for file in client.list_artifacts(run.info.run_id, pending.pop()):
                pending += [file.path] if file.is_dir else []
                names.append(file.path)
        assert names
        made = [name for name in names if "/code/" not in name]
        assert not [name for name in made if "embedding" in name or "cubes." in name]

    def test_the_registered_model_answers_as_the_run_ranks(self, client, run, finished):
        """Frames of test people as files: `test_serving.py` sends the same over HTTP."""
        version = client.get_model_version_by_alias("synthetic", "champion")
        assert (int(version.version), version.run_id) == (1, run.info.run_id)
        card = load_card(finished.latest("06_models/synthetic/trial_00/model"))
        assert {name: version.tags[name] for name in ("trial", "protocol", "metric")} == {
            "trial": "trial_00", "protocol": card.protocol, "metric": "cosine"
        }  # fmt: skip
        own = finished.scores().query("trial == 'trial_00' and features == 'network'")
        (score,) = own[(own.metric == "cosine") & (own.measure == "mAP")].value
        assert float(version.tags["mAP"]) == pytest.approx(score)
        model = served("models:/synthetic@champion")
        request, expected = ranked(finished)
        found = rankings_of(model.predict(request).to_dict(orient="records"))
        assert found.gallery.to_list() == expected.gallery.to_list()
        np.testing.assert_allclose(found.distance, expected.distance, rtol=0, atol=2e-5)


@pytest.mark.slow
def test_the_same_parameters_give_the_same_scores(finished, project, tiny):
    """A network that is trained anew, on the frames of the first run."""
    shutil.copytree(finished.root / "data/01_raw", project.root / "data/01_raw")
    project.run(**tiny)
    pd.testing.assert_frame_equal(project.scores(), finished.scores())
    for trial in TRIALS:
        anew, before = project.weights(trial), finished.weights(trial)
        assert all(torch.equal(anew[name], before[name]) for name in before)
