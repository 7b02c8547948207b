"""A run's model as an MLflow model, from code: pictures in, embeddings and rankings out.

MLflow runs this file by itself when it loads the model (``mlflow.pyfunc.load_model``,
``mlflow models serve``). ``docs/how-to/serve.md`` has a request and its answer.
"""

import logging
import threading
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, INVALID_PARAMETER_VALUE

log = logging.getLogger(__name__)


class RecogniserModel(mlflow.pyfunc.PythonModel):
    """A recogniser that answers requests."""

    def load_context(self, context: Any) -> None:
        """Read the folder that was logged with the model."""
        from wherewhen.recogniser import Recogniser

        recogniser = Recogniser.from_pretrained(context.artifacts["model"])
        self._recogniser = recogniser.ready_for_frames()
        self._turn = threading.Lock()

    # No type hints: MLflow would take them for the signature, which is logged with the model.
    def predict(self, context, model_input, params=None):
        """Answer a request.

        One after the other: the memory of a server is that of one request, whatever arrives.

        Parameters
        ----------
        context : Any
            MLflow's; not used.
        model_input : pandas.DataFrame
            See `wherewhen.recogniser.requests.answer`.
        params : dict, optional
            ``false_match_rate``, likewise.

        Returns
        -------
        pandas.DataFrame
            Likewise.

        Raises
        ------
        mlflow.exceptions.MlflowException
            HTTP's 400, with the reason; 500 without one, which stands in the server's log alone.
        """
        from wherewhen.recogniser.requests import RequestError, answer

        try:
            with self._turn:
                return answer(self._recogniser, model_input, **(params or {}))
        except RequestError as error:
            raise MlflowException(str(error), INVALID_PARAMETER_VALUE) from None
        except Exception:  # MLflow would send a traceback, with paths of this machine
            log.exception("a request failed")
            raise MlflowException(
                "the model failed at this request; the server's log says why", INTERNAL_ERROR
            ) from None


mlflow.models.set_model(RecogniserModel())
