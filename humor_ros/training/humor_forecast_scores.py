"""Forecasts on recordings: errors against constant velocity, and whether they are as sure as true.

States are the true ones; what a tracker adds is not in these figures.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from humor_ros.humor.forecast import Forecast, ForecastConfig, forecast
from humor_ros.humor.frozen_roll_out import FrozenPrior
from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.state import FRAME_RATE, MotionState
from humor_ros.training.humor_path import recent_path
from humor_ros.training.humor_transitions import TransitionLibrary
from humor_ros.training.humor_validation import starts

__all__ = ["REGIONS", "TIMES", "errors_of", "forecast_scores", "scores_of"]

#: Squared Mahalanobis distances along the ground that hold 68 and 95 % of a Gaussian.
REGIONS = {"68": 2.2789, "95": 5.9915}
#: Seconds at which forecasts are scored, by the names in scores.
TIMES = {"half": 0.5, "1s": 1.0, "2s": 2.0}
_MM = 1000.0
_CHUNK = 100


@torch.no_grad()
def forecast_scores(
    network: HumorNetwork | FrozenPrior,
    library: TransitionLibrary,
    seed: int,
    config: ForecastConfig | None = None,
    every: int = 30,
    *,
    history: bool = True,
) -> dict[str, float]:
    """Score forecasts of 2 s from true states, one every ``every`` frames of each clip.

    Args:
        network: the networks.
        library: clips that were not learned from.
        seed: of the samples.
        config: of the forecast; its horizon must reach 2 s.
        every: frames between two starts.
        history: whether forecasts are given the places of the second before, as far as the clip
            has them (its first frame has none).

    Returns:
        For half a second, 1 s and 2 s: ``forecast_root_{at}_mm``, and of the references
        ``forecast_velocity_root_{at}_mm`` (the root goes on at its velocity) and
        ``forecast_still_root_{at}_mm``, on the ground, with
        ``moving_`` before them for clips that are not idle; ``forecast_gain_{at}_percent`` how
        much lower the first is than constant velocity; ``forecast_in_{68,95}_percent`` the share
        of true roots, over all times, within the region of that chance, and the same at each of
        the times.

    Raises:
        ValueError: the horizon is too short.
    """
    config = config or ForecastConfig()
    if config.horizon_s < 2.0:
        raise ValueError(f"config.horizon_s must be at least 2, got {config.horizon_s}")
    prior = FrozenPrior(network) if isinstance(network, HumorNetwork) else network
    steps = round(config.horizon_s * FRAME_RATE)
    at = starts(library, steps, every)
    rows = library.clips.start[at.clip] + at.place
    generator = torch.Generator().manual_seed(seed)
    parts: dict[str, list[Tensor]] = {}
    for begin in range(0, len(rows), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        first = MotionState.from_vector(library.rows[rows[part]]).without_contacts()
        after = library.rows[rows[part, None] + torch.arange(1, steps + 1)]
        truth = MotionState.from_vector(after).joints[:, :, 0]
        recent = recent_path(library, at.clip[part], at.place[part]) if history else None
        told = forecast(prior, first, config, recent=recent, generator=generator)
        for name, values in errors_of(told, first.joints[:, 0], first.trans_vel, truth).items():
            parts.setdefault(name, []).append(values)
    return scores_of({name: torch.cat(values) for name, values in parts.items()}, at.moving)


def errors_of(told: Forecast, start: Tensor, velocity: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """Errors of B forecasts over K frames, along the ground.

    Args:
        told: the forecasts.
        start, velocity: (B, 3) true roots and their velocities, for the references.
        truth: (B, K, 3) true roots.

    Returns:
        (B, K) ``own``, ``velocity`` and ``still``, metres; ``68`` and ``95``, whether the region
        of that chance holds the truth.
    """
    straight = start[:, None] + velocity[:, None] * told.time_s[:, None]

    def away(places: Tensor) -> Tensor:
        return (places - truth)[..., :2].norm(dim=-1)

    return {
        "own": away(told.root),
        "velocity": away(straight),
        "still": away(start[:, None]),
        **{name: told.inside(truth, size).float() for name, size in REGIONS.items()},
    }


def scores_of(errors: Mapping[str, Tensor], moving: Tensor) -> dict[str, float]:
    """Means of :func:`errors_of`, as :func:`forecast_scores` names them.

    Args:
        errors: of B forecasts.
        moving: (B,) who is not idle.
    """
    scores: dict[str, float] = {}
    for prefix, chosen in (("", torch.ones_like(moving)), ("moving_", moving)):
        if not bool(chosen.any()):
            continue
        for label, seconds in TIMES.items():
            step = round(seconds * FRAME_RATE) - 1
            own, plain, still = (
                float(errors[name][chosen, step].mean()) * _MM
                for name in ("own", "velocity", "still")
            )
            scores[f"{prefix}forecast_root_{label}_mm"] = own
            scores[f"{prefix}forecast_velocity_root_{label}_mm"] = plain
            scores[f"{prefix}forecast_still_root_{label}_mm"] = still
            scores[f"{prefix}forecast_gain_{label}_percent"] = 100.0 * (1.0 - own / plain)
    for name in REGIONS:
        within = errors[name]
        scores[f"forecast_in_{name}_percent"] = 100.0 * float(within.mean())
        for label, seconds in TIMES.items():
            share = float(within[:, round(seconds * FRAME_RATE) - 1].mean())
            scores[f"forecast_in_{name}_{label}_percent"] = 100.0 * share
    return scores
