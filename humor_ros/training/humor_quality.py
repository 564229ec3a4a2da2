"""The card of a prior: all scores of one set of weights in one deterministic run."""

from __future__ import annotations

import torch
from torch import Tensor

from humor_ros.humor.mixture import InitialStateMixture, initial_state_feature
from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.rollout import roll_out
from humor_ros.humor.state import FRAME_RATE, MotionState
from humor_ros.training.humor_forecast_scores import forecast_scores
from humor_ros.training.humor_transitions import TransitionLibrary, TransitionWindow
from humor_ros.training.humor_validation import (
    bone_lengths,
    roll_out_scores,
    starts,
    transition_scores,
)

__all__ = [
    "diversity_scores",
    "frames_of_life",
    "has_exploded",
    "prior_quality",
    "stability_scores",
]

_MM = 1000.0
_SECOND, _TWO_SECONDS, _TEN_SECONDS = (int(n * FRAME_RATE) for n in (1, 2, 10))
#: Beyond these a roll-out counts as exploded: joint speed (the data stays under 15 m/s), distance
#: of a joint from the root, height of the root (the data has jumps up to 1.9 m), growth of all
#: bones together.
_FASTEST_M_S = 20.0
_FARTHEST_M = 1.6
_ROOT_HEIGHT_M = (-0.3, 2.2)
_GROWTH = 1.5
_CHUNK = 100


def prior_quality(
    network: HumorNetwork,
    mixture: InitialStateMixture | None,
    library: TransitionLibrary,
    seed: int = 0,
) -> dict[str, float]:
    """Everything that the card says.

    Args:
        network: the networks.
        mixture: of initial states; None leaves its score out.
        library: clips that were not learned from.
        seed: of starts and samples.

    Returns:
        Scores by name, see the functions that make them.
    """
    scores = transition_scores(network, library)
    scores |= roll_out_scores(network, starts(library, _TWO_SECONDS, _TWO_SECONDS // 2))
    scores |= stability_scores(network, library, seed)
    scores |= diversity_scores(network, library, seed)
    scores |= forecast_scores(network, library, seed)
    if mixture is not None:
        first = MotionState.from_vector(starts(library, 1, 5).window.past[:, 0])
        kind = next(mixture.buffers()).dtype
        density = mixture.log_prob(initial_state_feature(first).to(kind))
        scores["initial_log_density"] = float(density.mean())
    return scores


@torch.no_grad()
def stability_scores(
    network: HumorNetwork, library: TransitionLibrary, seed: int, count: int = 100
) -> dict[str, float]:
    """Whether motions of 10 s stay motions, from random starts.

    Returns:
        ``exploded_mean`` and ``exploded_samples``: how many of ``count`` starts (see
        :func:`frames_of_life`), by the prior's mean and by samples of it;
        ``{mean,samples}_life_s``: median time until then, 10 where it never comes;
        ``{mean,samples}_speed_m_s`` mean joint speed over the last second, and
        ``true_speed_m_s`` that of the recordings.
    """
    generator = torch.Generator().manual_seed(seed)
    window = library.draw(count, 1, generator, mirror_probability=0.0)
    first = MotionState.from_vector(window.past[:, 0])
    scores: dict[str, float] = {}
    for name, sample in (("mean", False), ("samples", True)):
        rolled = roll_out(
            network, first, n_steps=_TEN_SECONDS, sample=sample, generator=generator
        ).states
        life = frames_of_life(first, rolled.joints)
        scores[f"exploded_{name}"] = float((life < _TEN_SECONDS).sum())
        scores[f"{name}_life_s"] = float(life.float().median()) / FRAME_RATE
        speed = rolled.joints[:, -_SECOND:].diff(dim=1).norm(dim=-1) * FRAME_RATE
        scores[f"{name}_speed_m_s"] = float(speed.mean())
    scores["true_speed_m_s"] = float(first.joints_vel.norm(dim=-1).mean())
    return scores


def frames_of_life(first: MotionState, joints: Tensor) -> Tensor:
    """(B,) frames until a motion leaves what bodies do; T where it never does.

    It does where it is not finite, too fast, too long or too high, see the constants above.

    Args:
        first: (B) states that the motions start from.
        joints: (B, T, 22, 3) in a frame whose ground is z = 0.
    """
    before = torch.cat((first.joints[:, None], joints[:, :-1]), dim=1)
    fast = (joints - before).norm(dim=-1).amax(dim=2) * FRAME_RATE > _FASTEST_M_S
    far = (joints - joints[:, :, :1]).norm(dim=-1).amax(dim=2) > _FARTHEST_M
    low, high = _ROOT_HEIGHT_M
    away = (joints[:, :, 0, 2] < low) | (joints[:, :, 0, 2] > high)
    size = bone_lengths(joints).sum(dim=2) / bone_lengths(first.joints).sum(dim=1)[:, None]
    finite = torch.isfinite(joints).all(dim=3).all(dim=2)
    alive = finite & ~(fast | far | away | (size > _GROWTH))
    return alive.long().cumprod(dim=1).sum(dim=1)


def has_exploded(first: MotionState, joints: Tensor) -> Tensor:
    """(B,) whether a motion left what bodies do; arguments as of :func:`frames_of_life`."""
    return frames_of_life(first, joints) < joints.shape[1]


@torch.no_grad()
def diversity_scores(
    network: HumorNetwork, library: TransitionLibrary, seed: int, samples: int = 10
) -> dict[str, float]:
    """How samples of the prior spread over 2 s, and whether the truth is among them.

    Returns:
        ``spread_joint_{1s,2s}_mm``: mean distance between joints of two samples of one start;
        ``spread_root_*`` the same of the root's place on the ground; ``best_joint_*``: error of
        the best of the samples, ``typical_joint_*`` their mean error (world, all joints).
    """
    at = starts(library, _TWO_SECONDS, 2 * _TWO_SECONDS)
    generator = torch.Generator().manual_seed(seed)
    truth = at.window.joints
    sums: dict[str, float] = {}
    count = len(truth)
    for begin in range(0, count, _CHUNK):
        part = slice(begin, begin + _CHUNK)
        rolled = _samples(network, at.window, part, samples, generator)
        for label, step in (("1s", _SECOND), ("2s", _TWO_SECONDS)):
            said, true = rolled[:, :, step - 1], truth[part, None, step - 1]
            between = said[:, :, None] - said[:, None]
            pairs = samples * (samples - 1)
            apart = between.norm(dim=-1).mean(dim=-1).sum(dim=(1, 2)) / pairs
            apart_root = between[..., 0, :2].norm(dim=-1).sum(dim=(1, 2)) / pairs
            error = (said - true).norm(dim=-1).mean(dim=-1)
            values = {
                f"spread_joint_{label}_mm": apart,
                f"spread_root_{label}_mm": apart_root,
                f"best_joint_{label}_mm": error.amin(dim=1),
                f"typical_joint_{label}_mm": error.mean(dim=1),
            }
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + float(value.sum()) * _MM / count
    return sums


def _samples(
    network: HumorNetwork,
    window: TransitionWindow,
    part: slice,
    samples: int,
    generator: torch.Generator,
) -> Tensor:
    """(b, samples, T, 22, 3) joints of sampled motions of some of the windows."""
    rows = window.past[part, 0].repeat_interleave(samples, dim=0)
    rolled = roll_out(
        network,
        MotionState.from_vector(rows),
        n_steps=window.past.shape[1],
        sample=True,
        generator=generator,
    )
    return rolled.states.joints.unflatten(0, (-1, samples))
