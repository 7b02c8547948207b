"""The stages as Kedro pipelines: ``pipeline.py`` wires, ``nodes.py`` adapts, the library works."""
