"""Experiments (the Kedro side): tables of rows, each run as a Kedro session.

- ``config``: the schema of ``conf/*/experiments.yml``
- ``published``: the numbers printed in the paper
- ``rows``: the parameters of each row, and what of it is finished
- ``engine``: runs unfinished rows
- ``results``: what is finished of an experiment
- ``tables``, ``figures``, ``report``: rows beside the published numbers, drawn, and on one page
- ``cli``: the commands ``kedro experiment ...``
"""
