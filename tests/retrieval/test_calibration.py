import numpy as np
import pytest

from wherewhen.retrieval import calibration
from wherewhen.retrieval.calibration import expected_calibration_error, reliability


def test_by_hand():
    # both kinds weigh 1/2: a genuine pair 1/4, an impostor 1/8
    table = reliability([0.9, 0.2], [0.1, 0.1, 0.3, 1.0], bins=2)
    assert table[["low", "high", "pairs"]].to_numpy().tolist() == [[0, 0.5, 4], [0.5, 1, 2]]
    np.testing.assert_allclose(table["weight"], [5 / 8, 3 / 8])
    np.testing.assert_allclose(table["frequency"], [(1 / 4) / (5 / 8), (1 / 4) / (3 / 8)])
    confidence = [(0.2 / 4 + 0.5 / 8) / (5 / 8), (0.9 / 4 + 1 / 8) / (3 / 8)]
    np.testing.assert_allclose(table["confidence"], confidence)
    gaps = np.abs(table["frequency"] - table["confidence"])
    assert expected_calibration_error(table) == pytest.approx((gaps * [5 / 8, 3 / 8]).sum())


def test_an_honest_score_is_calibrated_and_a_bold_one_is_not():
    generator = np.random.default_rng(0)
    score = generator.random(40_000)
    same = generator.random(len(score)) < score
    assert expected_calibration_error(reliability(score[same], score[~same])) < 0.01
    bold = np.round(score)
    assert expected_calibration_error(reliability(bold[same], bold[~same])) > 0.2


def test_chunks_change_nothing(monkeypatch):
    generator = np.random.default_rng(0)
    genuine, impostor = generator.random(30), generator.random(50)
    whole = reliability(genuine, impostor)
    monkeypatch.setattr(calibration, "_CHUNK", 7)
    np.testing.assert_allclose(reliability(genuine, impostor), whole, rtol=1e-12)


def test_empty_bins_are_left_out():
    assert reliability([0.95], [0.05])["low"].tolist() == [0.0, 0.9]


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="expected 0 to 1"):
        reliability([1.5], [0.0])
    with pytest.raises(ValueError, match="impostor has shape"):
        reliability([0.5], [])
    with pytest.raises(ValueError, match="bins is 0"):
        reliability([0.5], [0.5], bins=0)
