"""Where and when to look: re-identify people in video, and be able to explain and repeat it.

The packages, from the lowest layer up (a package imports only from layers below its own):

- ``tracklets``, ``metric_learning``, ``retrieval``: tables, metrics and measures; NumPy alone
- ``features``, ``model``: frames to feature cubes; the Siamese attention network
- ``search``: a gallery of tracklets in a folder, and its nearest to a query
- ``training``, ``presets``: the training loop; values of parameters by name
- ``synthetic``, ``baselines``, ``reporting``: rendered people; other methods; figures and tables
- ``lineage``: which code, parameters and data an artifact was made from
- ``pipelines``: the stages' parameters, nodes and wiring; nothing that computes
- ``experiments``, ``sweeps``: tables of many runs; searches for parameters
- the modules beside them: the command line, sessions, MLflow, deletion
"""

import os

__version__ = "0.1.0"

# MLflow's defaults are changed where they surprise: it reports its use to its makers, copies
# uv.lock (which names the registry packages came from) into every model, shows progress bars for
# files of this disk, tells of its own environment files, and asks a server that is gone for four
# minutes, at every call, before it says so. Whatever the environment says wins.
for _name, _value in {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
}.items():
    os.environ.setdefault(_name, _value)
