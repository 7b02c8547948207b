"""Kedro-Viz shows the layers of the catalog: they must follow one another."""

from graphlib import TopologicalSorter

import pytest
import yaml
from kedro.io import CatalogConfigResolver

from wherewhen.pipeline_registry import build_pipelines
from wherewhen.pipelines.parameters import check_parameters


@pytest.fixture
def layer_of(repository):
    entries = {}
    for file in sorted((repository / "conf/base").glob("catalog_*.yml")):
        text = file.read_text(encoding="utf-8").replace("${globals:dataset}", "demo")
        found = yaml.safe_load(text)
        entries |= {name: entry for name, entry in found.items() if not name.startswith("_")}
    resolver = CatalogConfigResolver(entries)
    return lambda name: (
        resolver.resolve_pattern(name).get("metadata", {}).get("kedro-viz", {}).get("layer")
    )


def test_layers_follow_one_another(layer_of):
    stages = build_pipelines(check_parameters({}))
    whole = stages["__default__"] + stages["analyse"]
    above = {}
    for node in whole.nodes:
        for output in node.outputs:
            for name in node.inputs:
                layers = layer_of(name), layer_of(output)
                if not name.startswith("params:") and all(layers) and layers[0] != layers[1]:
                    above.setdefault(layers[1], set()).add(layers[0])
    order = list(TopologicalSorter(above).static_order())
    assert order[-1] == "reporting"
    assert {"primary", "feature", "models", "embeddings", "metrics", "model_output"} < set(order)


def test_everything_that_is_kept_in_a_file_has_a_layer(repository):
    for file in sorted((repository / "conf/base").glob("catalog_*.yml")):
        for name, entry in yaml.safe_load(file.read_text(encoding="utf-8")).items():
            if not name.startswith("_") and "filepath" in entry:
                assert entry["metadata"]["kedro-viz"]["layer"], name
