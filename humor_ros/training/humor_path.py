"""Training of the networks that foretell a person's path from the last second of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.humor.frames import heading_rotation
from humor_ros.humor.path_network import KNOTS_S, LAGS, PathFeatures, PathNetwork, RecentPath
from humor_ros.humor.state import FRAME_RATE, NUM_JOINTS, MotionState
from humor_ros.training.humor_transitions import TransitionLibrary

__all__ = ["PathSamples", "PathTraining", "recent_path", "train_path_network"]

#: Of the errors at ``KNOTS_S``: near ones are smaller.
_WEIGHTS = (4.0, 2.0, 1.0, 0.6, 0.5)
#: Frames over which a newest velocity is measured (see ``newest_motion``).
_SLOPE_FRAMES = 6
#: What rounds the norm of an error off near zero, m².
_SOFT = 1e-4


@dataclass(frozen=True)
class PathTraining:
    """How to train.

    Attributes:
        steps: of each member.
        batch: samples a step, half of them mirrored.
        every: frames between two samples of a clip.
        rate: highest learning rate; it rises and falls in one cycle.
        decay: of weights.
        idle: weight of idle clips beside the others.
        size: deviation of the logarithm of random sizes.
        blur: noise on what the networks read, of its own deviation.
        noise_m_s: least and largest deviation of an observer's errors of the root's velocity;
            the networks are told what it is.
        memory_s: least and largest time in which these errors are forgotten.
        narrow: their size across a random direction (of the camera's rays), beside that along.
    """

    steps: int = 4000
    batch: int = 256
    every: int = 4
    rate: float = 2e-3
    decay: float = 0.1
    idle: float = 0.3
    size: float = 0.2
    blur: float = 0.1
    noise_m_s: tuple[float, float] = (0.0, 0.0)
    memory_s: tuple[float, float] = (0.1, 1.0)
    narrow: float = 0.3


@dataclass(frozen=True, eq=False)
class PathSamples:
    """N starts.

    Attributes:
        features: what the networks read.
        leaves: (N, 5, 2) how far the root leaves the line of its velocity, canonical, metres.
        weights: (N,) chance of each.
    """

    features: PathFeatures
    leaves: Tensor
    weights: Tensor

    @classmethod
    def of(cls, library: TransitionLibrary, config: PathTraining) -> PathSamples:
        """All starts of a library with 2 s ahead of them."""
        clips, places, weights = [], [], []
        ahead = torch.tensor([round(seconds * FRAME_RATE) for seconds in KNOTS_S])
        for number, length in enumerate(library.clips.length.tolist()):
            found = torch.arange(0, max(length - int(ahead[-1]), 0), config.every)
            idle = library.clips.categories[number] == "idle"
            clips.append(torch.full_like(found, number))
            places.append(found)
            weights.append(torch.full(found.shape, config.idle if idle else 1.0))
        clip, place = torch.cat(clips), torch.cat(places)
        rows = library.clips.start[clip] + place
        now = MotionState.from_vector(library.rows[rows]).without_contacts()
        after = MotionState.from_vector(library.rows[rows[:, None] + ahead]).joints[:, :, 0, :2]
        time = (ahead / FRAME_RATE)[:, None]
        away = after - now.joints[:, :1, :2] - now.trans_vel[:, None, :2] * time
        turn = heading_rotation(now.root_orient)[:, :2, :2]
        return cls(
            features=PathFeatures.of(now, recent_path(library, clip, place)),
            leaves=away @ turn.transpose(-1, -2),
            weights=torch.cat(weights),
        )


def recent_path(library: TransitionLibrary, clip: Tensor, place: Tensor) -> RecentPath:
    """The last second before frames ``place`` (N,) of clips (N,), in the world."""
    before = place[:, None] - torch.tensor(LAGS)
    rows = library.clips.start[clip][:, None] + before.clamp_min(0)
    past = MotionState.from_vector(library.rows[rows])
    right = -past.root_orient[..., 0]
    known = before >= 0
    return RecentPath(
        root=torch.where(known[..., None], past.joints[:, :, 0], torch.nan),
        heading=torch.where(known, torch.atan2(right[..., 1], right[..., 0]), torch.nan),
    )


def train_path_network(
    samples: PathSamples,
    config: PathTraining,
    members: int = 3,
    seed: int = 0,
    note: Callable[[int, int, float], None] | None = None,
) -> PathNetwork:
    """Train all members, one after the other.

    Args:
        samples: to learn from.
        config: how.
        members: how many; they differ in their start and their order.
        seed: of everything drawn.
        note: told member, step and loss now and then.
    """
    torch.manual_seed(seed)
    network = PathNetwork(members)
    rows = samples.features.row()
    network.shift.copy_(rows.mean(dim=0))
    network.shift[: samples.features.vectors[0].numel() : 3] = 0.0  # mirror images count too
    network.scale.copy_(rows.std(dim=0) + 0.02)
    network.scale[-1] = 1.0
    for member in range(members):
        _train_member(network, member, samples, config, note)
    return network.eval().requires_grad_(False)


def _train_member(
    network: PathNetwork,
    member: int,
    samples: PathSamples,
    config: PathTraining,
    note: Callable[[int, int, float], None] | None,
) -> None:
    layers = network.members[member].train()
    optimizer = torch.optim.AdamW(layers.parameters(), lr=config.rate, weight_decay=config.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.rate, config.steps)
    weights = torch.tensor(_WEIGHTS)
    for step in range(config.steps):
        chosen = torch.multinomial(samples.weights, config.batch, replacement=True)
        features, leaves = _drawn(samples, chosen, config, mirror=step % 2 == 1)
        rows = network.scaled(features)
        rows = rows + config.blur * torch.randn_like(rows)
        error = network.told(member, rows) - leaves
        loss = ((error.square().sum(dim=-1) + _SOFT).sqrt() * weights).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if note is not None and step % 100 == 99:
            note(member, step + 1, float(loss.detach()))


def _drawn(
    samples: PathSamples, chosen: Tensor, config: PathTraining, mirror: bool
) -> tuple[PathFeatures, Tensor]:
    """Samples of random sizes and with an observer's errors."""
    whole = samples.features
    features = PathFeatures(whole.vectors[chosen], whole.scalars[chosen])
    leaves = samples.leaves[chosen]
    if mirror:
        features = features.mirrored()
        leaves = leaves * leaves.new_tensor([-1.0, 1.0])
    size = torch.exp(config.size * torch.randn(len(chosen), 1, 1))
    vectors = features.vectors * size
    velocity, joints, spots, since = vectors.split((1, NUM_JOINTS, NUM_JOINTS, len(LAGS)), dim=1)
    # A root that is seen to jump takes the joints with it: their motion about it stays.
    least, largest = config.noise_m_s
    scale = least + (largest - least) * torch.rand(len(chosen), 1)
    off, mean_off = _observed(scale, config)
    scalars = torch.cat((features.scalars[:, :-1], scale), dim=1)
    vectors = torch.cat((velocity + off, joints, spots, since + off - mean_off), dim=1)
    time = torch.tensor(KNOTS_S)[:, None]
    return (
        PathFeatures(vectors, scalars),
        leaves * size - off[..., :2] * time,
    )


def _observed(scale: Tensor, config: PathTraining) -> tuple[Tensor, Tensor]:
    """Errors of deviations (B, 1): (B, 1, 3) of the newest velocity, (B, L, 3) of mean ones."""
    count, frames = len(scale), max(LAGS)
    shortest, longest = config.memory_s
    memory = shortest * (longest / shortest) ** torch.rand(count, 1)
    kept = torch.exp(-1.0 / (memory * FRAME_RATE))
    drawn = torch.randn(count, frames, 2)
    noise = [drawn[:, 0]]
    for frame in range(1, frames):
        noise.append(kept * noise[-1] + (1.0 - kept.square()).sqrt() * drawn[:, frame])
    along, across = torch.stack(noise, dim=1).unbind(dim=-1)
    angle = 2.0 * math.pi * torch.rand(count, 1)
    along, across = scale * along, scale * config.narrow * across
    error = torch.stack(
        (
            along * angle.cos() - across * angle.sin(),
            along * angle.sin() + across * angle.cos(),
            torch.zeros_like(along),
        ),
        dim=-1,
    )
    mean = error.cumsum(dim=1) / torch.arange(1, frames + 1)[:, None]
    newest = mean[:, _SLOPE_FRAMES - 1 : _SLOPE_FRAMES]
    return newest, mean[:, [lag - 1 for lag in LAGS]]
