"""Experiments (the Kedro side): tables of rows, each run as a Kedro session.

- ``config``: the schema of ``conf/*/experiments.yml``
- ``published``: the figures printed in the paper
- ``rows``: the parameters of each row, and what of it is finished
- ``engine``: runs unfinished rows
- ``tables``, ``figures``, ``report``: rows beside the published figures, drawn, and on one page
- ``cli``: the commands ``kedro experiment ...``
"""
