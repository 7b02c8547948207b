"""Sweeps (the Kedro side): hyperparameter search with Optuna, judged on validation persons.

- ``config``: the schema of ``conf/*/sweeps.yml``
- ``study``: the Optuna study of a sweep: opening, resuming, proposing
- ``report``: best parameters, table, importance and plots of a study
- ``search``: runs evaluations as Kedro sessions
- ``cli``: the command ``kedro experiment sweep``

Imports go from the bottom of this list to its top. Lies above ``experiments``, whose reading of
configuration it shares.
"""
