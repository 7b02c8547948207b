"""Fisher vectors: frames pooled by how they would change a mixture of Gaussians (V-D, Eq 10).

Not learned with the network: the mixture is fitted to the frames' states that a trained network
makes of training persons. In numpy and scikit-learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.mixture import GaussianMixture
from sklearn.utils.validation import check_is_fitted

from wherewhen.metric_learning.pipeline import CappedPCA
from wherewhen.model.config import FisherConfig
from wherewhen.model.cubes import CubeReader, Window
from wherewhen.model.encode import encode_frames
from wherewhen.model.siamese import SiameseAttentionNetwork


class FisherVector(TransformerMixin, BaseEstimator):
    """Pool the frames of a clip into their Fisher vector (Eq 10).

    With a mixture of C Gaussians (means mu_k, deviations sigma_k, a diagonal each, priors pi_k) and
    q_kt the posterior of component k given the frame's state h_t,
    ``u_k = 1 / (T sqrt(pi_k)) sum_t q_kt (h_t - mu_k) / sigma_k`` and
    ``v_k = 1 / (T sqrt(2 pi_k)) sum_t q_kt (((h_t - mu_k) / sigma_k)^2 - 1)``.

    Parameters
    ----------
    components : int
        C.
    dimension : int or None
        Dimensions that a PCA leaves of the states before the mixture; None for no PCA (the paper).
    improved : bool
        Take signed square roots, then scale to length 1 (Perronnin et al., ECCV 2010); the paper
        has neither.
    regularisation : float
        Added to the variances of the components, as a share of the states' mean variance.
    random_state : int or None
        Seed of the mixture's start.

    Attributes
    ----------
    mixture_ : sklearn.mixture.GaussianMixture
        The fitted mixture.
    pca_ : CappedPCA or None
        The fitted PCA.
    size_ : int
        Entries of a Fisher vector, 2 D C.
    """

    def __init__(
        self,
        components: int = 8,
        dimension: int | None = None,
        improved: bool = True,
        regularisation: float = 1e-3,
        random_state: int | None = 0,
    ):
        self.components = components
        self.dimension = dimension
        self.improved = improved
        self.regularisation = regularisation
        self.random_state = random_state

    def fit(self, clips: Sequence[np.ndarray], y: object = None) -> Self:
        """Fit the mixture to frames' states.

        Parameters
        ----------
        clips
            Of each clip ``[T_n, D]``; only which frames there are matters, not in which clip.
        y
            Not used.

        Raises
        ------
        ValueError
            If there are fewer frames than components.
        """
        frames = np.concatenate(clips).astype(np.float64)
        if len(frames) < self.components:
            raise ValueError(
                f"components: {self.components} Gaussians asked of {len(frames)} frames; choose "
                f"fewer, or show more training persons"
            )
        self.pca_ = None
        if self.dimension is not None:
            self.pca_ = CappedPCA(self.dimension, self.random_state).fit(frames)
            frames = self.pca_.transform(frames)
        self.mixture_ = GaussianMixture(
            self.components,
            covariance_type="diag",
            # a state that never changes would have no variance, and its share would be 0 / 0
            reg_covar=max(self.regularisation * frames.var(0).mean(), 1e-12),
            random_state=self.random_state,
        ).fit(frames)
        self.size_ = 2 * self.components * frames.shape[1]
        return self

    def transform(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        """Fisher vectors of clips.

        Parameters
        ----------
        clips
            Of each clip ``[T_n, D]``, T_n at least 1.

        Returns
        -------
        numpy.ndarray, float64 [N, 2 D C]
            ``u_1, v_1, ..., u_C, v_C`` of each.
        """
        check_is_fitted(self)
        return np.stack([self._pool(np.asarray(frames, np.float64)) for frames in clips])

    def _pool(self, frames: np.ndarray) -> np.ndarray:
        if self.pca_ is not None:
            frames = self.pca_.transform(frames)
        mixture = self.mixture_
        parts = []
        for posterior, mean, variance, prior in zip(
            mixture.predict_proba(frames).T,
            mixture.means_,
            mixture.covariances_,
            mixture.weights_,
            strict=True,
        ):
            away = (frames - mean) / np.sqrt(variance)
            parts.append(posterior @ away / np.sqrt(prior))
            parts.append(posterior @ (away**2 - 1) / np.sqrt(2 * prior))
        vector = np.concatenate(parts) / len(frames)
        if self.improved:
            vector = np.sign(vector) * np.sqrt(np.abs(vector))
            vector /= max(np.linalg.norm(vector), np.finfo(float).tiny)
        return vector


def fit_fisher(
    network: SiameseAttentionNetwork,
    reader: CubeReader,
    windows: Sequence[Window],
    config: FisherConfig,
    batch_size: int = 8,
    progress: bool = True,
) -> FisherVector:
    """Fit Fisher vectors to the frames of training persons, as a network sees them.

    Parameters
    ----------
    network
        A trained network.
    reader
        Where the cubes are.
    windows
        Clips of training persons; so many of them as have ``config.frames`` frames are drawn.
    config
        Of the Fisher vectors.
    batch_size, progress
        As for `wherewhen.model.encode.encode_tracklets`.

    Returns
    -------
    FisherVector
        To be given to `wherewhen.model.encode.encode_tracklets`.

    Raises
    ------
    ValueError
        If there are no windows, or fewer frames than components.
    """
    if not windows:
        raise ValueError("fisher: no clips of training persons to fit the mixture to")
    order = np.random.default_rng(config.seed).permutation(len(windows))
    lengths = np.array([stop - start for _, start, stop in windows])[order]
    enough = int(np.searchsorted(lengths.cumsum(), config.frames)) + 1
    drawn = [windows[index] for index in sorted(order[:enough])]
    encoder = FisherVector(
        config.components, config.dimension, config.improved, random_state=config.seed
    )
    return encoder.fit(encode_frames(network, reader, drawn, batch_size, progress))
