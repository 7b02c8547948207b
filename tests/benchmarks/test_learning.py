"""The study of what makes the network learn: its variants are configurations that exist."""

from wherewhen.model.config import network_config
from wherewhen.training.config import training_config


def test_every_variant_can_be_configured_and_differs_from_the_others(script):
    learning = script("learning")
    seen = {}
    for name, variant in learning.VARIANTS.items():
        preset = variant.preset
        network = network_config(preset, **{**learning.NETWORK[preset], **variant.network})
        training = training_config(preset, **{**learning.TRAINING[preset], **variant.training})
        key = (network, training.model_dump_json(), variant.learners, variant.occluded)
        key = (*key, variant.untrained)
        assert key not in seen, f"{name} is {seen.get(key)}"
        seen[key] = name
