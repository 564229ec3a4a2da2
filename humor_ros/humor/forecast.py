"""What may come next: the prior's mean roll-outs and their spread over samples.

Places of the root are told with a covariance over the samples, widened by what the prior does not
know of itself (calibrated on val, see the card of the packaged prior). Rempe et al., "HuMoR",
ICCV 2021, section 3.1, gives the roll-out.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.field_checks import POSITIVE, SHARE, Rule, at_least, check_fields, within
from humor_ros.humor.forecast_region import OBSERVED_PATH, PLAIN, WITH_PATH, Region
from humor_ros.humor.frozen_roll_out import FrozenPrior
from humor_ros.humor.mirror import REFLECTION, mirrored_state
from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.path_network import PathNetwork, RecentPath, load_path_network
from humor_ros.humor.state import FRAME_RATE, MotionState

__all__ = ["OBSERVED", "Forecast", "ForecastConfig", "forecast"]

_HORIZON = Rule("in (0, 5]", lambda value: 0 < value <= 5)


@dataclass(frozen=True)
class ForecastConfig:
    """How far and how surely to look ahead.

    Attributes:
        horizon_s: seconds ahead, at most 5.
        samples: roll-outs that are drawn beside the mean one; at least 2.
        velocity_share: share of straight motion, whose speed decays, in the mean path of the
            root; the prior has the rest: half its mean roll-out, half that of the mirrored
            state, mirrored back, whose errors are partly others.
        path_share: share of what the path network tells in the mean path along the ground, where
            a recent path is given; the above have the rest.
        taken: how much of the way along the ground that these tell is told, less than 1 where
            states have errors: people move less than they seem to.
        velocity_noise_m_s: deviation of the errors of the states' velocities along the ground, 0
            for true states.
        still_m_s: mean joint speed below which straight motion takes over: roll-outs of people
            who stand drift farther than they do.
        decay_s: time in which the speed of straight motion falls to 1/e.
        region: how sure forecasts without a recent path are; ``path_region`` those with one.

    Raises:
        ValueError: on construction, naming the value.
    """

    horizon_s: float = 2.0
    samples: int = 8
    velocity_share: float = 0.2
    path_share: float = 0.6
    taken: float = 1.0
    velocity_noise_m_s: float = 0.0
    still_m_s: float = 0.1
    decay_s: float = 20.0
    region: Region = PLAIN
    path_region: Region = WITH_PATH

    def __post_init__(self) -> None:
        check_fields(self, _HORIZON, "horizon_s")
        check_fields(self, POSITIVE, "still_m_s", "decay_s")
        check_fields(self, at_least(2), "samples")
        check_fields(self, SHARE, "velocity_share", "path_share", "taken")
        check_fields(self, within(0, 2), "velocity_noise_m_s")


#: For states that a smoother tells of: roll-outs begin with a velocity that they trust.
OBSERVED = ForecastConfig(
    path_share=1.0, taken=0.7, velocity_noise_m_s=0.45, path_region=OBSERVED_PATH
)


@dataclass(frozen=True, eq=False)
class Forecast:
    """B people over K coming frames, in the world of the states that they were made of.

    Attributes:
        time_s: (K,) seconds from the state on.
        root: (B, K, 3) mean place of the root joint, metres.
        root_covariance: (B, K, 3, 3) m².
        joints: (B, K, 22, 3) joints of the mean, metres.
        root_orient: (B, K, 3, 3) root rotations of the mean roll-out.
        pose_body: (B, K, 21, 3, 3) body joints of the mean roll-out.
        samples: (B, S, K, 3) root places of the sampled roll-outs.
    """

    time_s: Tensor
    root: Tensor
    root_covariance: Tensor
    joints: Tensor
    root_orient: Tensor
    pose_body: Tensor
    samples: Tensor

    def inside(self, truth: Tensor, squared: float) -> Tensor:
        """(B, K) whether true roots (B, K, 3) lie in the region of a Mahalanobis distance².

        Args:
            truth: metres, same world.
            squared: of chi-square with 2 degrees of freedom along the ground (2.28 for 68 %,
                5.99 for 95 %).
        """
        away = (truth - self.root)[..., :2]
        factor = torch.linalg.cholesky(self.root_covariance[..., :2, :2])
        white = torch.linalg.solve_triangular(factor, away[..., None], upper=False)[..., 0]
        return white.square().sum(-1) <= squared


@torch.no_grad()
def forecast(
    prior: HumorNetwork | FrozenPrior,
    state: MotionState,
    config: ForecastConfig | None = None,
    *,
    recent: RecentPath | None = None,
    path: PathNetwork | None = None,
    generator: torch.Generator | None = None,
) -> Forecast:
    """Look ahead.

    Args:
        prior: the networks; a frozen prior saves copying their weights at every call.
        state: (B,) newest states in a world with the ground at z = 0, z up.
        config: how far and how surely.
        recent: where these people were in the last second, same world. None goes without.
        path: what reads that; None for the packaged one.
        generator: of the samples.

    Returns:
        The forecast. Roll-outs that leave the finite numbers, or run from their person faster
        than 12 m/s, are replaced by straight motion.
    """
    config = config or ForecastConfig()
    if isinstance(prior, HumorNetwork):
        prior = FrozenPrior(prior)
    steps = max(1, round(config.horizon_s * FRAME_RATE))
    people, count = state.trans.shape[0], config.samples
    state = state.without_contacts()
    many = state.map(lambda part: part.repeat_interleave(count, dim=0))
    noise = torch.randn(
        steps,
        people * count,
        prior.config.latent_size,
        generator=generator,
        dtype=state.trans.dtype,
        device=state.trans.device,
    )
    mean = prior.roll_out(
        MotionState.cat([state, mirrored_state(state), many]), steps, noise=noise, whole=people
    )
    alone, mirror, drawn = mean.root.split((people, people, people * count))
    mirror = mirror * mirror.new_tensor(REFLECTION)
    time = torch.arange(1, steps + 1, dtype=alone.dtype) / FRAME_RATE
    start = state.joints[:, 0]
    straight = _straight(start, state.trans_vel, time, config.decay_s)
    root, sane = _sane(alone, straight, start, time)
    root = 0.5 * (root + _sane(mirror, straight, start, time)[0])
    speed = state.joints_vel.norm(dim=-1).mean(dim=1, keepdim=True)
    still = torch.exp(-(speed / config.still_m_s).square())
    share = config.velocity_share + (1.0 - config.velocity_share) * still
    blended = root + share[..., None] * (straight - root)
    region, apart = config.region, torch.zeros_like(blended)
    wander = torch.zeros_like(speed)
    if recent is not None:
        noise_m_s = config.velocity_noise_m_s
        network = path or load_path_network(observed=noise_m_s > 0)
        told = network.places(state, recent, steps, noise_m_s)
        region, wander = config.path_region, recent.wander(start).to(speed)
        apart[..., :2] = told - blended[..., :2]
        blended = blended + config.path_share * apart
    back = (config.taken - 1.0) * (blended - start[:, None])
    blended = blended + back * back.new_tensor([1.0, 1.0, 0.0])
    samples, _ = _sane(
        drawn,
        straight.repeat_interleave(count, dim=0),
        start.repeat_interleave(count, dim=0),
        time,
    )
    samples = samples.unflatten(0, (people, count))
    covariance = region.covariance(samples, speed, wander, time, blended - start[:, None], apart)
    joints = torch.where(
        sane[:, None, None, None],
        mean.joints - mean.joints[:, :, :1],
        (state.joints - state.joints[:, :1])[:, None],
    )
    return Forecast(
        time_s=time,
        root=blended,
        root_covariance=covariance,
        joints=joints + blended[:, :, None],
        root_orient=torch.where(
            sane[:, None, None, None], mean.rotations[:, :, 0], state.root_orient[:, None]
        ),
        pose_body=torch.where(
            sane[:, None, None, None, None], mean.rotations[:, :, 1:], state.pose_body[:, None]
        ),
        samples=samples,
    )


#: No person runs faster; a roll-out that does has exploded.
_FASTEST_M_S = 12.0


def _straight(start: Tensor, velocity: Tensor, time: Tensor, decay_s: float) -> Tensor:
    """(B, K, 3) motion at a decaying speed along the ground; the height stays."""
    travelled = decay_s * (1.0 - torch.exp(-time / decay_s))
    level = velocity * velocity.new_tensor([1.0, 1.0, 0.0])
    return start[:, None] + travelled[:, None] * level[:, None]


def _sane(places: Tensor, straight: Tensor, start: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
    """Places (B, K, 3), straight ones for people whose roll-out exploded, and who is sane (B,)."""
    away = (places - start[:, None]).norm(dim=-1)
    sane = (away <= _FASTEST_M_S * time + 0.5).all(dim=1)  # False for NaN too
    return torch.where(sane[:, None, None], places, straight), sane
