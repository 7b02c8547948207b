"""The study of what makes the network learn: its variants are configurations that exist."""

from wherewhen.model.config import NetworkConfig
from wherewhen.training.config import TrainingConfig


def test_every_variant_can_be_configured_and_differs_from_the_others(script):
    learning = script("learning")
    seen = {}
    for name, variant in learning.VARIANTS.items():
        preset = variant.preset
        network = NetworkConfig.from_preset(
            preset, **{**learning.NETWORK[preset], **variant.network}
        )
        training = TrainingConfig.from_preset(
            preset, **{**learning.TRAINING[preset], **variant.training}
        )
        key = (network, training.model_dump_json(), variant.learners, variant.occluded)
        key = (*key, variant.untrained)
        assert key not in seen, f"{name} is {seen.get(key)}"
        seen[key] = name
