"""Fitting the mixture over initial states, against what it was drawn from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from humor_ros.humor.mixture import InitialStateMixture
from humor_ros.training.humor_mixture import fit_mixture


def drawn(count: int = 6000) -> tuple[InitialStateMixture, torch.Tensor]:
    factors = np.array([[[1.0, 0, 0], [0.5, 0.3, 0], [0, 0, 0.2]], np.diag([0.1, 1.0, 0.5])])
    mixture = InitialStateMixture(
        np.array([0.3, 0.7]),
        np.array([[0.0, 0.0, 0.0], [4.0, -4.0, 2.0]]),
        factors @ factors.transpose(0, 2, 1),
        dtype=torch.float64,
    )
    return mixture, mixture.sample(count, torch.Generator().manual_seed(0))


def test_the_mixture_comes_back() -> None:
    truth, x = drawn()
    fitted = fit_mixture(x, 2, seed=0)
    order = np.argsort(fitted.weights)
    np.testing.assert_allclose(fitted.weights[order], [0.3, 0.7], atol=0.02)
    np.testing.assert_allclose(fitted.means[order], [[0, 0, 0], [4, -4, 2]], atol=0.06)
    np.testing.assert_allclose(fitted.covariances[order[0], 0, 1], 0.5, atol=0.05)
    assert fitted.log_likelihood >= float(truth.log_prob(x).mean()) - 1e-3


def test_its_log_likelihood_is_that_of_the_mixture_in_use() -> None:
    _, x = drawn(500)
    fitted = fit_mixture(x, 2, seed=0)
    used = float(fitted.mixture().log_prob(x).mean())
    assert used == pytest.approx(fitted.log_likelihood, abs=2e-3)  # one maximisation later


def test_features_on_a_line_stay_definite() -> None:
    x = torch.randn(300, 1, generator=torch.Generator().manual_seed(0)).expand(300, 3)
    covariances = fit_mixture(x, 1, seed=0).covariances
    assert float(np.linalg.eigvalsh(covariances).min()) == pytest.approx(1e-6, rel=0.01)


@pytest.mark.parametrize("x", [torch.zeros(3, 2), torch.full((50, 2), torch.nan)])
def test_unusable_features_are_refused(x: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="at least 12 finite features"):
        fit_mixture(x, 12, seed=0)
