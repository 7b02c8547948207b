"""Experiments (the Kedro side): the paper's tables, each a list of rows that are run as sessions.

- ``config``: what ``conf/*/experiments.yml`` may say
- ``published``: the figures that the paper prints
- ``rows``: the parameters of each row, and what is finished of it
- ``engine``: runs what is not finished
- ``tables``, ``figures``, ``report``: rows beside the published figures, drawn, and on one page
- ``reproduce``: the commands that come to the same numbers
- ``sweep_config``, ``sweeps``, ``sweep_report``: parameters searched on validation persons
- ``cli``: the commands ``kedro experiment ...``
"""
