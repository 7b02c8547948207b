"""Fisher vectors: sets of vectors pooled by the gradients of a Gaussian mixture (Eq 10).

Used for the frames of a trained network (`wherewhen.model.fisher`) and for the local descriptors of
`wherewhen.baselines.fisher_vectors`. Imports without torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.mixture import GaussianMixture
from sklearn.utils.validation import check_is_fitted

from wherewhen.metric_learning.pca import CappedPCA


class FisherVector(TransformerMixin, BaseEstimator):
    """Pool the frames of a clip into their Fisher vector (Eq 10).

    For a mixture of C Gaussians (means mu_k, diagonal deviations sigma_k, priors pi_k) and the
    posterior q_kt of component k given the frame's state h_t,
    ``u_k = 1 / (T sqrt(pi_k)) sum_t q_kt (h_t - mu_k) / sigma_k`` and
    ``v_k = 1 / (T sqrt(2 pi_k)) sum_t q_kt (((h_t - mu_k) / sigma_k)^2 - 1)``.

    Parameters
    ----------
    components : int
        C.
    dimension : int or None
        Dimensions of a PCA of the states before the mixture; None for no PCA (the paper).
    improved : bool
        Take signed square roots, then normalise to length 1 (Perronnin et al., ECCV 2010); the
        paper does neither.
    regularisation : float
        Added to the variances of the components, as a share of the states' mean variance.
    random_state : int or None
        Seed of the mixture's initialisation.

    Attributes
    ----------
    mixture_ : sklearn.mixture.GaussianMixture
        The fitted mixture.
    pca_ : CappedPCA or None
        The fitted PCA.
    size_ : int
        Entries of a Fisher vector, 2 D C.

    Examples
    --------
    >>> clips = np.random.default_rng(0).normal(size=(5, 8, 3))
    >>> FisherVector(components=2).fit(clips).transform(clips).shape
    (5, 12)

    See Also
    --------
    wherewhen.model.fisher.fit_fisher : Fits one to the frames of a trained network.
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
        """Fit the mixture to the frames' states of all clips, ``[T_n, D]`` each; `y` is not used.

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
            # avoids 0 / 0 for a state without variance
            reg_covar=max(self.regularisation * frames.var(0).mean(), 1e-12),
            random_state=self.random_state,
        ).fit(frames)
        self.size_ = 2 * self.components * frames.shape[1]
        return self

    def transform(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        """Fisher vectors ``u_1, v_1, ..., u_C, v_C`` of clips: float64 ``[N, 2 D C]``."""
        check_is_fitted(self)
        frames = np.concatenate([np.asarray(clip, np.float64) for clip in clips])
        if self.pca_ is not None:
            frames = self.pca_.transform(frames)
        posteriors = self.mixture_.predict_proba(frames)
        stops = np.cumsum([len(clip) for clip in clips])[:-1]
        pairs = zip(np.split(frames, stops), np.split(posteriors, stops), strict=True)
        return np.stack([self._pool(*pair) for pair in pairs])

    def _pool(self, frames: np.ndarray, posteriors: np.ndarray) -> np.ndarray:
        """Eq 10, multiplied out into sums over the frames."""
        means, variances = self.mixture_.means_, self.mixture_.covariances_
        share = posteriors.sum(0)[:, None]
        first, second = posteriors.T @ frames, posteriors.T @ frames**2
        u = (first - share * means) / np.sqrt(variances)
        v = (second - 2 * means * first + share * means**2) / variances - share
        prior = np.sqrt(self.mixture_.weights_)[:, None]
        vector = np.stack([u / prior, v / (np.sqrt(2) * prior)], axis=1).ravel() / len(frames)
        if self.improved:
            vector = np.sign(vector) * np.sqrt(np.abs(vector))
            vector /= max(np.linalg.norm(vector), np.finfo(float).tiny)
        return vector
