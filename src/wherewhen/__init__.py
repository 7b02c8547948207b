"""Where and when to look: re-identify people in video, and be able to explain and repeat it.

The rooms of the house, from the ground up (a room imports only from floors below):

- ``tracklets``, ``metric_learning``, ``retrieval``: tables, metrics and measures; numpy alone
- ``features``, ``model``: frames to feature cubes; the Siamese attention network
- ``training``, ``synthetic``, ``reporting``: the loop; rendered people; figures and tables
- ``pipelines`` and the Kedro side: wires and adapters, nothing that computes
"""

import os

__version__ = "0.1.0"

# MLflow's defaults are changed where they surprise: it reports its use to its makers, copies
# uv.lock (which names the registry packages came from) into every model, shows progress bars for
# files of this disk, and tells of its own environment files. Whatever the environment says wins.
for _name, _value in {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}.items():
    os.environ.setdefault(_name, _value)
