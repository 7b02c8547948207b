"""Experiments (the Kedro side): the paper's tables, each a list of named variants of a run.

- ``config``: what ``conf/*/experiments.yml`` may say
- ``published``: the figures that the paper prints
- ``variants``: a row's parameters, and the name of the folders that its results lie in
- ``results``: what is finished, read from those folders
- ``engine``: runs what is not finished
- ``tables``: rows beside the published figures
- ``sweep_config``, ``sweeps``: parameters searched; ``judging``: by validation persons alone;
  ``sweep_report``: what was found
- ``cli``: the commands ``kedro experiment ...``
"""
