from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from shipped import CONFIG, FINGERPRINT, IDENTITY, write_shipped

from wherewhen import pretrained
from wherewhen.features.backbones.parts import FROZEN
from wherewhen.files import Workspace
from wherewhen.model.config import NetworkConfig
from wherewhen.model.files import read_network, write_network
from wherewhen.model.siamese import build_network
from wherewhen.pipelines.extract.parameters import ExtractParameters
from wherewhen.pipelines.train.nodes import _with_validation, borrow, fit, initialise, start
from wherewhen.synthetic.truth import FOLDER, Truth, truth_file
from wherewhen.tracklets.cubes import ArrayCubes
from wherewhen.training.config import TrainingConfig
from wherewhen.training.loop import calibrate

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def split():
    """Ten persons train, five are tested."""
    return pd.DataFrame(
        [
            ("trial_00", f"cam_{camera}/p{person}", f"p{person}", f"cam_{camera}", role)
            for person in range(15)
            for camera, test in (("a", "probe"), ("b", "gallery"))
            for role in [("train" if person < 10 else test)]
        ],
        columns=["trial", "tracklet", "person", "camera", "role"],
    )


class Cubes(ArrayCubes):
    """Four frames a tracklet, of noise around its person."""

    def __init__(self, split):
        arrays = {}
        for tracklet, person in zip(split.tracklet, split.person, strict=True):
            who = np.random.default_rng(int(person[1:])).normal(size=(2, 2, 5))
            noise = np.random.default_rng(len(arrays)).normal(size=(4, 2, 2, 5))
            arrays[tracklet] = (who + 0.3 * noise).astype(np.float16)
        super().__init__(arrays)
        self.read_from = set()

    def _fill(self, window, out):
        self.read_from.add(window.tracklet)
        super()._fill(window, out)


@pytest.fixture
def cubes(split):
    return Cubes(split)


FROZEN_BACKBONE = (FROZEN, ExtractParameters())
NETWORK = NetworkConfig(channels=[4], projection=3, seed=7)
TRAINING = TrainingConfig(
    frames=2, persons_per_batch=4, steps=4, checkpoint_seconds=0, checkpoint_every=1,
    validation_fraction=0.2, threads=1, seed=3,
)  # fmt: skip


def same(one, other):
    """Whether two networks have the same weights, to the bit."""
    states = one.state_dict(), other.state_dict()
    return all(torch.equal(value, states[1][name]) for name, value in states[0].items())


class TestInitialise:
    def test_a_network_is_built_and_calibrated_on_those_who_train(self, cubes, split):
        made = initialise(cubes, split, NETWORK, False, *FROZEN_BACKBONE)
        assert cubes.read_from == set(split[split.role == "train"].tracklet)
        expected = build_network(NETWORK, channels=5, grid=2)
        calibrate(expected, cubes, list(cubes.read_from))
        assert made.calibrated
        assert same(made, expected)

    def test_a_trials_seed_is_its_own_where_the_split_is_fixed(self, cubes, split):
        def made(trial, seed_by_trial):
            rows = split.assign(trial=trial)
            return initialise(cubes, rows, NETWORK, seed_by_trial, *FROZEN_BACKBONE)

        first, ninth = made("trial_00", True), made("trial_09", True)
        assert (first.config.seed, ninth.config.seed) == (7, 16)
        assert same(first, made("trial_00", False))
        assert not same(first, ninth)
        assert same(first, made("trial_09", False))


class TestFit:
    @pytest.fixture
    def untrained(self, cubes, split):
        return initialise(cubes, split, NETWORK, False, *FROZEN_BACKBONE)

    def test_training_leaves_the_untrained_network_as_it_was(
        self, untrained, cubes, split, tmp_path
    ):
        before = {name: value.clone() for name, value in untrained.state_dict().items()}
        network, history = fit(
            untrained, cubes, split, Workspace(tmp_path), TRAINING, seed_by_trial=False
        )
        assert all(torch.equal(value, before[name]) for name, value in
                   untrained.state_dict().items())  # fmt: skip
        assert not same(network, untrained)
        assert history.step.tolist() == [1, 2, 3, 4]
        assert history.validation_loss.notna().any()

    def test_nobody_who_is_tested_is_read(self, untrained, cubes, split, tmp_path):
        cubes.read_from.clear()
        fit(untrained, cubes, split, Workspace(tmp_path), TRAINING, seed_by_trial=False)
        assert cubes.read_from == set(split[split.role == "train"].tracklet)

    def test_it_goes_on_in_its_folder(self, untrained, cubes, split, tmp_path):
        network, history = fit(
            untrained, cubes, split, Workspace(tmp_path), TRAINING, seed_by_trial=False
        )
        assert {path.name for path in tmp_path.iterdir()} >= {"checkpoint.safetensors"}
        cubes.read_from.clear()
        again, same_history = fit(
            untrained, cubes, split, Workspace(tmp_path), TRAINING, seed_by_trial=False
        )
        assert not cubes.read_from
        assert same(network, again)
        pd.testing.assert_frame_equal(history, same_history)

    def test_a_trials_seed_is_its_own_where_the_split_is_fixed(
        self, untrained, cubes, split, tmp_path
    ):
        def made(trial, seed_by_trial, **changes):
            config = TRAINING.model_copy(update=changes)
            rows = split.assign(trial=trial)
            folder = tmp_path / f"{trial} {seed_by_trial} {changes}"
            return fit(untrained, cubes, rows, Workspace(folder), config, seed_by_trial)[0]

        ninth = made("trial_09", True)
        assert not same(ninth, made("trial_00", True))
        assert same(ninth, made("trial_00", False, seed=TRAINING.seed + 9))
        assert same(made("trial_00", True), made("trial_09", False))


class TestStart:
    @pytest.fixture
    def file(self, tmp_path):
        """A network that was trained on other cubes."""
        network = build_network(NETWORK, channels=5, grid=2)
        network.calibrate(torch.rand(20, 2, 2, 5) + 3.0)
        write_network(network, tmp_path / "trained.safetensors")
        return tmp_path / "trained.safetensors"

    def fit_from(self, file, cubes, split, tmp_path, network=NETWORK, **training):
        config = TRAINING.model_copy(update=training)
        started = start(cubes, split, network, True, *FROZEN_BACKBONE, file)
        return fit(started, cubes, split, Workspace(tmp_path / "run"), config, seed_by_trial=True)

    def test_it_trains_from_the_files_weights_and_statistics(self, file, cubes, split, tmp_path):
        trained = read_network(file)
        network, history = self.fit_from(file, cubes, split, tmp_path, learning_rate=1e-9)
        weights = trained.state_dict()
        for name, value in network.state_dict().items():
            torch.testing.assert_close(value, weights[name])
        assert torch.equal(network.input.mean, trained.input.mean)
        assert torch.equal(network.input.deviation, trained.input.deviation)
        assert len(history) == 4
        moved, _ = fit(
            trained, cubes, split, Workspace(tmp_path / "2"), TRAINING, seed_by_trial=True
        )
        assert not same(moved, trained)

    def test_a_killed_training_goes_on(self, file, cubes, split, tmp_path):
        def stop(*_):
            raise KeyboardInterrupt

        whole, _ = self.fit_from(file, cubes, split, tmp_path / "whole")
        with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr("wherewhen.pipelines.train.nodes.MetricLog.record", stop)
            self.fit_from(file, cubes, split, tmp_path / "killed")
        assert (tmp_path / "killed/run/checkpoint.safetensors").exists()
        again, _ = self.fit_from(file, cubes, split, tmp_path / "killed")
        assert same(whole, again)

    def test_a_file_that_does_not_fit_is_named(self, file, cubes, split, tmp_path):
        other = NETWORK.model_copy(update={"channels": (6,)})
        with pytest.raises(
            ValueError,
            match=r"train\.network does not fit .*trained\.saf.*channels is \(6,\), not \(4",
        ):
            self.fit_from(file, cubes, split, tmp_path, other)
        narrow = SimpleNamespace(shape=(2, 2, 6))
        with pytest.raises(
            ValueError, match=r"train\.start: .* 2 x 2 x 5, and these are of 2 x 2 x 6"
        ):
            self.fit_from(file, narrow, split, tmp_path)
        assert not (tmp_path / "run").exists()


class TestPretrained:
    """The network that ships with the package, by its card."""

    @pytest.fixture
    def path(self, tmp_path, monkeypatch):
        monkeypatch.setattr(pretrained, "FOLDER", (tmp_path / "files").resolve())
        write_shipped(tmp_path / "files")
        return tmp_path / "files/network.safetensors"

    @pytest.fixture(params=["train.start", "train.network_from"])
    def take(self, request, path, cubes, split, tmp_path):
        """Return a function that takes the network for cubes of an identity."""

        def call(identity):
            cubes.identity = identity
            if request.param == "train.network_from":
                return borrow(cubes, path)
            training = TRAINING.model_copy(update={"steps": 1, "learning_rate": 1e-9})
            config = CONFIG.model_copy(update={"seed": 5})
            started = start(cubes, split, config, False, *FROZEN_BACKBONE, path)
            return fit(started, cubes, split, Workspace(tmp_path / "run"), training, False)[0]

        return call

    def test_it_is_taken_for_people_whom_it_has_not_met(self, take, path):
        weights = read_network(path).state_dict()
        for name, value in take(IDENTITY).state_dict().items():
            torch.testing.assert_close(value, weights[name])

    def test_it_is_refused_for_those_it_learned_from(self, take, tmp_path):
        said = r"train\.\w+: the pretrained network learned from the people of population, and"
        with pytest.raises(ValueError, match=said):
            take(IDENTITY | {"dataset": FINGERPRINT})
        assert not (tmp_path / "run").exists()

    def test_cubes_of_other_weights_are_refused(self, take):
        other = {**IDENTITY["backbone"], "weights": {"sha256": "b"}}
        with pytest.raises(ValueError, match=r"of another kind: weights a+, not b$"):
            take(IDENTITY | {"backbone": other})


def test_persons_who_validate_do_not_train(split):
    learners, held_out = _with_validation(split, fraction=0.2, seed=0)
    assert held_out.person.nunique() == 2
    assert learners.person.nunique() == 8
    assert not set(learners.person) & set(held_out.person)


def test_nobody_who_is_tested_trains_or_validates(split):
    learners, held_out = _with_validation(split, fraction=0.2, seed=0)
    assert set(learners.role) | set(held_out.role) == {"train"}


def test_all_tracklets_of_a_person_are_on_one_side(split):
    learners, held_out = _with_validation(split, fraction=0.3, seed=3)
    assert set(learners.groupby("person").size()) == {2}
    assert set(held_out.groupby("person").size()) == {2}


def test_the_seed_decides_who(split):
    once, again, other = (
        set(_with_validation(split, fraction=0.3, seed=seed)[1].person) for seed in (1, 1, 2)
    )
    assert once == again
    assert once != other


def test_at_least_two_persons_validate(split):
    """One alone makes no negative pair."""
    _, held_out = _with_validation(split, fraction=0.01, seed=0)
    assert held_out.person.nunique() == 2


def test_nobody_validates_when_the_fraction_is_zero(split):
    learners, held_out = _with_validation(split, fraction=0.0, seed=0)
    assert len(learners) == 20
    assert held_out.empty


def test_a_trials_network_is_borrowed_if_it_fits(tmp_path):
    network = build_network(NetworkConfig(channels=[4], projection=3), channels=5, grid=2)
    path = tmp_path / "trial_00.safetensors"
    write_network(network.train(), path)
    borrowed = borrow(SimpleNamespace(shape=(2, 2, 5)), path)
    assert borrowed.config == network.config
    assert not borrowed.training
    with pytest.raises(ValueError, match="of 2 x 2 x 5, and these are of 2 x 2 x 6"):
        borrow(SimpleNamespace(shape=(2, 2, 6)), path)
    with pytest.raises(ValueError, match="of 2 x 2 x 5, and these are of 4 x 1 x 5"):
        borrow(SimpleNamespace(shape=(4, 1, 5)), path)


def test_a_network_is_borrowed_from_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    network = build_network(NetworkConfig(channels=[4], projection=3), channels=5, grid=2)
    write_network(network, tmp_path / "lent.safetensors")
    assert borrow(SimpleNamespace(shape=(2, 2, 5)), Path("~/lent.safetensors")).grid == (
        2,
        2,
    )
    with pytest.raises(FileNotFoundError, match="expected the file of a trained network"):
        borrow(SimpleNamespace(shape=(2, 2, 5)), Path("~/nobodys.safetensors"))


def test_a_guided_training_reads_what_the_rendered_frames_show(cubes, split, tmp_path):
    """Nobody is shown in the left half; of one tracklet the truth is missing at first."""
    rows = [
        (tracklet, position, f"{tracklet}/{position:04d}.png")
        for tracklet in split.tracklet.unique()
        for position in range(4)
    ]
    frames = pd.DataFrame(rows, columns=["tracklet", "position", "path"])
    person = np.zeros((4, 8, 4), dtype=np.float32)
    person[:, :, 2:] = 1.0
    (tmp_path / FOLDER).mkdir()
    for tracklet in split.tracklet.unique()[1:]:
        Truth.of(person, None).write(truth_file(tmp_path, f"set/{tracklet}/0000.png"))
    training = TRAINING.model_copy(update={"guidance_weight": 1.0})
    untrained = initialise(cubes, split, NETWORK, False, *FROZEN_BACKBONE)
    arguments = (untrained, cubes, split, Workspace(tmp_path / "run"), training, False, "cpu")
    with pytest.raises(FileNotFoundError, match="no truth of tracklet cam_a/p0"):
        fit(*arguments, frames=frames, people=tmp_path)
    first = split.tracklet.iloc[0]
    Truth.of(person, None).write(truth_file(tmp_path, f"set/{first}/0000.png"))
    guided, history = fit(*arguments, frames=frames, people=tmp_path)
    assert history.guidance.iloc[0] == pytest.approx(np.log(2) + np.log(2), abs=0.1)
    plain, _ = fit(*arguments[:3], Workspace(tmp_path / "plain"), TRAINING, False)
    attended = [network.encode(torch.from_numpy(cubes.read(cubes.whole(first))[None]).float())
                for network in (guided, plain)]  # fmt: skip
    right, by_chance = (encoding.attention[..., 1].mean().item() for encoding in attended)
    assert right > by_chance
