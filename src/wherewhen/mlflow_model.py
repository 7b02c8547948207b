"""The network as an MLflow model, from code: clips of feature cubes in, embeddings out.

MLflow runs this file by itself when it loads the model (``mlflow.pyfunc.load_model``), so that the
number of frames stays free; a traced model would freeze it.
"""

from typing import Any

import mlflow
import numpy as np


class SiameseEncoder(mlflow.pyfunc.PythonModel):
    """One branch of the Siamese network."""

    def load_context(self, context: Any) -> None:
        """Read the weights that were logged with the model."""
        from wherewhen.model.files import read_network

        self._network = read_network(context.artifacts["network"]).eval()

    # No type hints: MLflow would take them for the signature, which is logged with the model.
    def predict(self, context, model_input, params=None):
        """Encode clips of equal length.

        Parameters
        ----------
        context : Any
            MLflow's; not used.
        model_input : numpy.ndarray, float32 [clips, frames, K, K, D]
            Feature cubes as the extraction stage makes them.
        params : dict, optional
            MLflow's; not used.

        Returns
        -------
        numpy.ndarray, float32 [clips, dimensions]
            The embeddings (h-bar of Eq 6, as the network's readout gives it).
        """
        import torch

        cubes = torch.as_tensor(np.asarray(model_input, dtype=np.float32))
        mask = torch.ones(cubes.shape[:2], dtype=torch.bool)
        with torch.inference_mode():
            return self._network.encode(cubes, mask).embedding.numpy()


mlflow.models.set_model(SiameseEncoder())
