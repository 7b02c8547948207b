"""Where and when to look: re-identify people in video, and be able to explain and repeat it.

The rooms of the house, from the ground up (a room imports only from floors below):

- ``tracklets``, ``metric_learning``, ``retrieval``: tables, metrics and measures; numpy alone
- ``features``, ``model``: frames to feature cubes; the Siamese attention network
- ``training``, ``synthetic``, ``reporting``: the loop; rendered people; figures and tables
- ``pipelines`` and the Kedro side: wires and adapters, nothing that computes
"""

import os

__version__ = "0.1.0"

# MLflow reports its use to its makers unless told otherwise; nothing here phones home unasked.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
