"""Forecasts on recordings: errors against constant velocity, and whether they are as sure as true.

States are the true ones; what a tracker adds is not in these figures.
"""

from __future__ import annotations

import torch

from humor_ros.humor.forecast import ForecastConfig, forecast
from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.state import FRAME_RATE, MotionState
from humor_ros.training.humor_transitions import TransitionLibrary
from humor_ros.training.humor_validation import starts

__all__ = ["REGIONS", "forecast_scores"]

#: Squared Mahalanobis distances along the ground that hold 68 and 95 % of a Gaussian.
REGIONS = {"68": 2.2789, "95": 5.9915}
_TIMES = {"half": 0.5, "1s": 1.0, "2s": 2.0}
_MM = 1000.0
_CHUNK = 100


@torch.no_grad()
def forecast_scores(
    network: HumorNetwork,
    library: TransitionLibrary,
    seed: int,
    config: ForecastConfig | None = None,
    every: int = 30,
) -> dict[str, float]:
    """Score forecasts of 2 s from true states, one every ``every`` frames of each clip.

    Args:
        network: the networks.
        library: clips that were not learned from.
        seed: of the samples.
        config: of the forecast; its horizon must reach 2 s.
        every: frames between two starts.

    Returns:
        For half a second, 1 s and 2 s: ``forecast_root_{at}_mm`` and
        ``forecast_velocity_root_{at}_mm`` (the root goes on at its velocity) on the ground, with
        ``moving_`` before them for clips that are not idle; ``forecast_gain_{at}_percent`` how
        much lower the first is; ``forecast_in_{68,95}_percent`` the share of true roots, over all
        times, within the region of that chance, and the same at each of the times.

    Raises:
        ValueError: the horizon is too short.
    """
    config = config or ForecastConfig()
    if config.horizon_s < 2.0:
        raise ValueError(f"config.horizon_s must be at least 2, got {config.horizon_s}")
    steps = round(config.horizon_s * FRAME_RATE)
    at = starts(library, steps, every)
    generator = torch.Generator().manual_seed(seed)
    errors, plain, inside = [], [], []
    for begin in range(0, len(at.moving), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        first = MotionState.from_vector(at.window.past[part, 0])
        truth = at.window.joints[part, :, 0]
        told = forecast(network, first, config, generator=generator)
        straight = first.joints[:, None, 0] + first.trans_vel[:, None] * told.time_s[:, None]
        errors.append((told.root - truth)[..., :2].norm(dim=-1))
        plain.append((straight - truth)[..., :2].norm(dim=-1))
        inside.append(torch.stack([told.inside(truth, size) for size in REGIONS.values()]))
    error, constant = torch.cat(errors), torch.cat(plain)
    within = torch.cat(inside, dim=1).float()
    scores: dict[str, float] = {}
    for prefix, chosen in (("", torch.ones_like(at.moving)), ("moving_", at.moving)):
        for label, seconds in _TIMES.items():
            step = round(seconds * FRAME_RATE) - 1
            if bool(chosen.any()):
                own = float(error[chosen, step].mean()) * _MM
                other = float(constant[chosen, step].mean()) * _MM
                scores[f"{prefix}forecast_root_{label}_mm"] = own
                scores[f"{prefix}forecast_velocity_root_{label}_mm"] = other
                scores[f"{prefix}forecast_gain_{label}_percent"] = 100.0 * (1.0 - own / other)
    for number, name in enumerate(REGIONS):
        scores[f"forecast_in_{name}_percent"] = 100.0 * float(within[number].mean())
        for label, seconds in _TIMES.items():
            step = round(seconds * FRAME_RATE) - 1
            share = float(within[number, :, step].mean())
            scores[f"forecast_in_{name}_{label}_percent"] = 100.0 * share
    return scores
