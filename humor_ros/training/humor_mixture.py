"""Fitting the mixture over initial states: k-means, then expectation and maximisation.

The published fit is scikit-learn's with full covariances, 12 components, regularisation 1e-6 and
tolerance 1e-3 (Rempe et al., "HuMoR", ICCV 2021, supplement); this is the same algorithm without
that dependency.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from torch import Tensor

from humor_ros.humor.mixture import InitialStateMixture, initial_state_feature
from humor_ros.humor.state import MotionState
from humor_ros.training.humor_transitions import TransitionLibrary

__all__ = ["MixtureFit", "fit_mixture", "initial_features"]

_REGULARISATION = 1e-6
_TOLERANCE = 1e-3
_MAX_ITERATIONS = 200
_KMEANS_ITERATIONS = 20


@dataclass(frozen=True, eq=False)
class MixtureFit:
    """A fitted mixture, under the names of the published file.

    Attributes:
        weights: (K,) sum to 1.
        means: (K, D).
        covariances: (K, D, D).
        log_likelihood: mean over the samples, nats.
        iterations: of expectation and maximisation.
    """

    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]
    log_likelihood: float
    iterations: int

    def mixture(self) -> InitialStateMixture:
        """For use, in float64."""
        return InitialStateMixture(self.weights, self.means, self.covariances, dtype=torch.float64)


def initial_features(library: TransitionLibrary, count: int, generator: torch.Generator) -> Tensor:
    """(count, 138) features of canonical states drawn by the clips' weights, half mirrored."""
    window = library.draw(count, 1, generator, mirror_probability=0.5)
    return initial_state_feature(MotionState.from_vector(window.past[:, 0]))


def fit_mixture(features: Tensor, components: int, seed: int) -> MixtureFit:
    """Fit K Gaussians with full covariances to features (N, D), in float64.

    Args:
        features: N > D of them for every component, or regularisation alone makes it definite.
        components: K.
        seed: of the start by k-means.

    Raises:
        ValueError: there are fewer features than components, or they are not finite.
    """
    x = features.double()
    if len(x) < components or not bool(torch.isfinite(x).all()):
        raise ValueError(f"need at least {components} finite features, got {len(x)}")
    scale = x.std(dim=0).clamp_min(1e-6)
    _, labels = kmeans2(
        (x / scale).numpy(), components, _KMEANS_ITERATIONS, minit="++", seed=seed, missing="warn"
    )
    share = torch.nn.functional.one_hot(torch.from_numpy(labels).long(), components).double()
    weights, means, covariances = _maximised(x, share)
    history: list[float] = []
    while len(history) < _MAX_ITERATIONS:
        mean_log, share = _expected(x, weights, means, covariances)
        history.append(mean_log)
        weights, means, covariances = _maximised(x, share)
        if len(history) > 1 and abs(history[-1] - history[-2]) < _TOLERANCE:
            break
    return MixtureFit(
        weights=weights.numpy(),
        means=means.numpy(),
        covariances=covariances.numpy(),
        log_likelihood=history[-1],
        iterations=len(history),
    )


def _expected(
    x: Tensor, weights: Tensor, means: Tensor, covariances: Tensor
) -> tuple[float, Tensor]:
    """Mean log-likelihood, and the components' shares (N, K) in every sample."""
    factors = torch.linalg.cholesky(covariances)
    logs = []
    for weight, mean, factor in zip(weights, means, factors, strict=True):
        white = torch.linalg.solve_triangular(factor, (x - mean).T, upper=False)
        constant = weight.log() - factor.diagonal().log().sum()
        logs.append(constant - 0.5 * white.square().sum(dim=0))
    joint = torch.stack(logs, dim=1) - 0.5 * x.shape[1] * np.log(2 * np.pi)
    total = torch.logsumexp(joint, dim=1)
    return float(total.mean()), (joint - total[:, None]).exp()


def _maximised(x: Tensor, share: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    count = share.sum(dim=0) + 10 * torch.finfo(x.dtype).eps
    means = (share.T @ x) / count[:, None]
    covariances = []
    for k in range(share.shape[1]):
        away = x - means[k]
        covariance = (share[:, k, None] * away).T @ away / count[k]
        covariance.diagonal().add_(_REGULARISATION)
        covariances.append(0.5 * (covariance + covariance.T))
    return count / count.sum(), means, torch.stack(covariances)
