"""The prior over initial states: a Gaussian mixture of joints and velocities.

Rempe et al., "HuMoR", ICCV 2021, section 3.3 and its supplement. The feature of a canonical state
is its joints, their velocities, the root's velocity and its angular velocity (138 numbers).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from humor_ros.humor.state import NUM_JOINTS, MotionState
from humor_ros.weight_files import CheckpointError, read_arrays

__all__ = ["FEATURE_SIZE", "InitialStateMixture", "initial_state_feature"]

FEATURE_SIZE = 2 * 3 * NUM_JOINTS + 3 + 3  #: 138


def initial_state_feature(state: MotionState) -> Tensor:
    """(..., 138) feature of states (...) in their canonical frame."""
    return torch.cat(
        (
            state.joints.flatten(start_dim=-2),
            state.joints_vel.flatten(start_dim=-2),
            state.trans_vel,
            state.root_orient_vel,
        ),
        dim=-1,
    )


class InitialStateMixture(nn.Module):
    """Mixture of K Gaussians with full covariances over D numbers.

    Covariances are factored in float64 whatever the type of the computation.
    """

    _weights: Tensor
    _log_weights: Tensor
    _means: Tensor
    _factors: Tensor
    _whitening: Tensor

    def __init__(
        self,
        weights: NDArray,
        means: NDArray,
        covariances: NDArray,
        *,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Prepare a mixture.

        Args:
            weights: (K,) positive; scaled to sum to 1.
            means: (K, D).
            covariances: (K, D, D), symmetric and positive definite.
            dtype: of the computation.

        Raises:
            ValueError: a shape, or a value that no mixture can have.
        """
        super().__init__()
        weights, means, covariances = (
            np.asarray(array, dtype=np.float64) for array in (weights, means, covariances)
        )
        _check(weights, means, covariances)
        try:
            factors = np.linalg.cholesky(covariances)
        except np.linalg.LinAlgError as error:
            raise ValueError("covariances must be symmetric and positive definite") from error
        size = means.shape[1]
        log_determinants = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
        constants = np.log(weights / weights.sum()) - log_determinants
        constants -= 0.5 * size * np.log(2.0 * np.pi)
        # whitening_k @ (x - mean_k) has unit covariance.
        whitening = np.linalg.solve(factors, np.broadcast_to(np.eye(size), factors.shape))
        for name, value in (
            ("_weights", weights / weights.sum()),
            ("_log_weights", constants),
            ("_means", means),
            ("_factors", factors),
            ("_whitening", whitening),
        ):
            self.register_buffer(name, torch.as_tensor(value).to(dtype), persistent=False)

    @classmethod
    def load(cls, path: str | Path, *, dtype: torch.dtype = torch.float32) -> InitialStateMixture:
        """Read the published ``prior_gmm.npz``: weights, means and covariances.

        Raises:
            FileNotFoundError: there is no such file.
            CheckpointError: it cannot be read or holds no mixture over 138 numbers.
        """
        names = ("weights", "means", "covariances")
        arrays = read_arrays(path, "an initial-state mixture (HuMoR's prior_gmm.npz)", names)
        try:
            mixture = cls(*(arrays[name] for name in names), dtype=dtype)
        except (ValueError, TypeError) as error:
            raise CheckpointError(f"{path} is not an initial-state mixture: {error}") from error
        if mixture.size != FEATURE_SIZE:
            raise CheckpointError(
                f"{path} is a mixture over {mixture.size} numbers; initial states have "
                f"{FEATURE_SIZE}"
            )
        return mixture

    @property
    def size(self) -> int:
        """Numbers in a feature, D."""
        return self._means.shape[1]

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density.

        Args:
            x: (..., D).

        Returns:
            (...) log of the density.
        """
        away = x[..., None, :] - self._means
        white = (self._whitening @ away[..., None])[..., 0]
        return torch.logsumexp(self._log_weights - 0.5 * white.square().sum(dim=-1), dim=-1)

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw features.

        Args:
            count: how many.
            generator: of the random numbers.

        Returns:
            (count, D).
        """
        component = torch.multinomial(self._weights, count, replacement=True, generator=generator)
        noise = torch.randn(
            (count, self.size, 1),
            generator=generator,
            dtype=self._means.dtype,
            device=self._means.device,
        )
        return self._means[component] + (self._factors[component] @ noise)[..., 0]


def _check(weights: NDArray, means: NDArray, covariances: NDArray) -> None:
    if weights.ndim != 1 or means.ndim != 2 or means.shape[0] != len(weights):
        raise ValueError(
            f"weights and means must have shapes (K,) and (K, D), got {weights.shape} and "
            f"{means.shape}"
        )
    expected = (*means.shape, means.shape[1])
    if covariances.shape != expected:
        raise ValueError(f"covariances must have shape {expected}, got {covariances.shape}")
    if not all(np.isfinite(array).all() for array in (weights, means, covariances)):
        raise ValueError("weights, means and covariances must be finite")
    if len(weights) == 0 or (weights <= 0).any():
        raise ValueError("weights must be positive")
