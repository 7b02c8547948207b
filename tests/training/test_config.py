import subprocess
import sys

import pytest
from pydantic import ValidationError

from wherewhen.presets import preset_names
from wherewhen.training.config import TrainingConfig


def test_imports_without_torch():
    code = (
        "import sys; from wherewhen.training.config import TrainingConfig; "
        "TrainingConfig.from_preset('paper'); print('torch' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


@pytest.mark.parametrize("preset", preset_names())
def test_presets_survive_a_dump(preset):
    config = TrainingConfig.from_preset(preset)
    assert TrainingConfig(**config.model_dump(mode="json")) == config


def test_paper_is_the_letter_of_the_paper():
    paper = TrainingConfig.from_preset("paper")
    assert (paper.pairs, paper.pairs_per_batch, paper.frames) == ("drawn", 10, 20)
    assert (paper.penalty_weight, paper.penalty, paper.gradient_clip) == (1.0, "paper", 5.0)
    assert (paper.momentum, paper.learning_rate) == (0.9, 1e-4)
    assert paper.learning_rate_factors == {}
    assert (paper.optimiser, paper.schedule, paper.warmup_steps, paper.precision) == (
        *("rmsprop", "constant", 0, "float32"),
    )
    assert (paper.identity_weight, paper.triplet_weight, paper.entropy_weight) == (0, 0, 0)
    assert paper.hardest_negatives == 1


def test_what_is_wrong_is_named():
    with pytest.raises(ValidationError, match="frmes"):
        TrainingConfig(frmes=3)
    with pytest.raises(ValueError, match="unknown preset 'papr'"):
        TrainingConfig.from_preset("papr")
    with pytest.raises(ValidationError, match="pairs_per_batch is 5, expected a multiple of 2"):
        TrainingConfig.from_preset("paper", pairs_per_batch=5)
    with pytest.raises(ValidationError, match="expected a multiple of 4: one pair in 4"):
        TrainingConfig.from_preset("paper", negatives_per_positive=3)
    with pytest.raises(ValidationError, match="learning_rate_factors"):
        TrainingConfig(learning_rate_factors={"atention": 0.1})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"negatives_per_positive": 2}, "negatives_per_positive has no effect without pairs: dr"),
        (
            {"pairs": "drawn", "tracklets_per_person": 4},
            "tracklets_per_person has no effect without pairs: all_in_batch",
        ),
        ({"milestones": [0.5]}, "milestones has no effect without schedule: steps"),
        ({"milestone_factor": 0.5}, "milestone_factor has no effect without schedule: steps"),
        ({"identity_smoothing": 0.0}, "identity_smoothing has no effect without identity_weight"),
        ({"schedule": "steps", "milestones": [0.5, 0.4]}, "expected them to increase"),
        ({"weight_decay": 0.1}, "weight_decay has no effect without optimiser: adamw"),
        ({"optimiser": "adamw", "momentum": 0.9}, "momentum has no effect without optimiser: rms"),
        ({"entropy_target_end": 0.8}, "entropy_target_end has no effect without entropy_weight"),
        (
            {"final_learning_rate_factor": 0.1},
            "final_learning_rate_factor has no effect without schedule: linear or cosine",
        ),
        (
            {"learning_rate_factors": {"identity": 2.0}},
            "learning_rate_factors.identity has no effect without identity_",
        ),
    ],
)
def test_what_would_have_no_effect_is_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        TrainingConfig(**settings)
