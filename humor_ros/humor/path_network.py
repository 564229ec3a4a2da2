"""Where a person goes, by the last second of the path and the newest state.

HuMoR's state knows one moment, and the root's velocity in it swings with the gait. A few small
networks read the places of the last second beside it and tell how the root leaves the straight
line of its velocity; forecasts take the mean of that and the prior's roll-outs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from torch import Tensor, nn

from humor_ros.body.skeleton import SMPL_MIRROR
from humor_ros.humor.frames import heading_rotation
from humor_ros.humor.mirror import REFLECTION
from humor_ros.humor.state import FRAME_RATE, NUM_JOINTS, MotionState
from humor_ros.network_files import NetworkFiles

__all__ = ["KNOTS_S", "LAGS", "PathFeatures", "PathNetwork", "RecentPath", "load_path_network"]

#: Frames before the newest at which the path is read.
LAGS = (3, 6, 9, 12, 15, 20, 25, 30)
#: Seconds ahead that the networks tell of.
KNOTS_S = (0.2, 0.5, 1.0, 1.5, 2.0)
_VECTORS = 1 + 2 * NUM_JOINTS + len(LAGS)
_SCALARS = 4 + len(LAGS)
_ASSETS = Path(__file__).parents[1] / "assets" / "humor"


@dataclass(frozen=True, eq=False)
class RecentPath:
    """Where B people were ``LAGS`` before their newest state; NaN where that is not known.

    Attributes:
        root: (B, L, 3) root joints in the frame of the states, metres.
        heading: (B, L) about z, rad: the direction of the body's right side.
    """

    root: Tensor
    heading: Tensor

    def wander(self, root: Tensor) -> Tensor:
        """(B, 1) farthest along the ground from the newest roots (B, 3), as far as is known."""
        away = (self.root - root[:, None])[..., :2].norm(dim=-1)
        return torch.nan_to_num(away).amax(dim=1, keepdim=True)


@dataclass(frozen=True, eq=False)
class PathFeatures:
    """What the networks read of B people, in their canonical directions.

    Attributes:
        vectors: (B, 53, 3) velocity of the root; velocities of the joints beside it; joints from
            the root, heights from the ground; by how much mean velocities since each lag differ
            from the newest.
        scalars: (B, 12) turning of the root; mean turning about z since each lag; deviation of
            the velocity's errors, m/s.
    """

    vectors: Tensor
    scalars: Tensor

    @classmethod
    def of(cls, state: MotionState, recent: RecentPath, noise_m_s: float = 0.0) -> PathFeatures:
        """Read states (B,) with the ground at z = 0; what is not known went on evenly."""
        level = state.trans_vel.new_tensor([1.0, 1.0, 0.0])
        turn = heading_rotation(state.root_orient)
        lag = torch.tensor(LAGS, dtype=level.dtype) / FRAME_RATE
        velocity, root = state.trans_vel, state.joints[:, :1]
        since = (root - recent.root) / lag[:, None] * level
        since = torch.where(torch.isnan(since), velocity[:, None] * level, since)
        vectors = torch.cat(
            (
                velocity[:, None],
                state.joints_vel - (velocity * level)[:, None],
                state.joints - root * level,
                (velocity * level)[:, None] - since,
            ),
            dim=1,
        )
        spin = state.root_orient_vel
        right = -state.root_orient[..., 0]
        turned = torch.atan2(right[:, 1], right[:, 0])[:, None] - recent.heading
        rate = torch.atan2(turned.sin(), turned.cos()) / lag
        rate = torch.where(torch.isnan(rate), spin[:, 2:], rate)
        spin = (turn @ spin[..., None])[..., 0]
        vectors = vectors @ turn.transpose(-1, -2)
        noise = torch.full_like(rate[:, :1], noise_m_s)
        return cls(vectors, torch.cat((spin, rate, noise), dim=1))

    def mirrored(self) -> PathFeatures:
        """Left and right exchanged."""
        joints = torch.tensor(SMPL_MIRROR[:NUM_JOINTS])
        order = torch.cat(
            (
                torch.zeros(1, dtype=torch.long),
                1 + joints,
                1 + NUM_JOINTS + joints,
                torch.arange(1 + 2 * NUM_JOINTS, _VECTORS),
            )
        )
        point = self.vectors.new_tensor(REFLECTION)
        sign = torch.ones_like(self.scalars[0])
        sign[1:-1] = -1.0  # of turns: about x they stay
        return PathFeatures(self.vectors[:, order] * point, self.scalars * sign)

    def row(self) -> Tensor:
        """(B, 171) all numbers."""
        return torch.cat((self.vectors.flatten(1), self.scalars), dim=1)


class PathNetwork(nn.Module):
    """Members whose mean counts, each over a state and its mirror image.

    Args:
        members: how many.
        width: of two hidden layers.
        dropout: share of hidden units that are dropped while training; a third of it of inputs.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, members: int = 3, width: int = 256, dropout: float = 0.3) -> None:
        super().__init__()
        self.config = {"members": members, "width": width}
        size = 3 * _VECTORS + _SCALARS
        self.register_buffer("shift", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.members = nn.ModuleList(
            nn.Sequential(
                nn.Dropout(dropout / 3),
                nn.Linear(size, width),
                nn.LayerNorm(width),
                nn.ReLU(),
                nn.Dropout(dropout),
                nn.Linear(width, width),
                nn.LayerNorm(width),
                nn.ReLU(),
                nn.Dropout(dropout),
                nn.Linear(width, 2 * len(KNOTS_S)),
            )
            for _ in range(members)
        )

    def told(self, member: int, rows: Tensor) -> Tensor:
        """(B, 5, 2) by one member of :meth:`scaled` rows: how far the root leaves the line."""
        out: Tensor = self.members[member](rows)
        return out.unflatten(-1, (len(KNOTS_S), 2))

    def scaled(self, features: PathFeatures) -> Tensor:
        """(B, 171) what members read."""
        return (features.row() - self.shift) / self.scale

    def forward(self, features: PathFeatures) -> Tensor:
        """(B, 5, 2) how far the root leaves the line, canonical directions, metres."""
        plain, mirror = self.scaled(features), self.scaled(features.mirrored())
        back = plain.new_tensor(REFLECTION[:2])
        both = [
            0.5 * (self.told(number, plain) + back * self.told(number, mirror))
            for number in range(len(self.members))
        ]
        return torch.stack(both).mean(dim=0)

    @torch.no_grad()
    def places(
        self, state: MotionState, recent: RecentPath, steps: int, noise_m_s: float = 0.0
    ) -> Tensor:
        """Where the root goes.

        Args:
            state: (B,) newest states in a frame with the ground at z = 0, z up.
            recent: of the same people, same frame.
            steps: T frames ahead.
            noise_m_s: deviation of the errors of the states' velocities along the ground.

        Returns:
            (B, T, 2) places along the ground.
        """
        kind = state.trans.dtype
        near = state.map(lambda part: part.to(self.shift.dtype))
        features = PathFeatures.of(
            near, RecentPath(recent.root.to(near.trans), recent.heading.to(near.trans)), noise_m_s
        )
        leaves = torch.einsum("tk,bkc->btc", _spline(steps).to(near.trans), self(features))
        back = heading_rotation(near.root_orient)[:, :2, :2]
        time = torch.arange(1, steps + 1) / FRAME_RATE
        straight = near.trans_vel[:, None, :2] * time[:, None].to(near.trans)
        return (near.joints[:, :1, :2] + straight + leaves @ back).to(kind)

    def save(self, path: str | Path, metadata: Mapping[str, str] | None = None) -> None:
        """Write weights, matrices in half precision, with the sizes in the file's header."""
        _FILES.save(
            self, self.config, path, half=lambda name, tensor: tensor.dim() > 1, metadata=metadata
        )


_FILES = NetworkFiles(
    name="HuMoR path",
    format="humor_ros/path/1",
    writer="PathNetwork.save",
    network=lambda sizes: PathNetwork(*sizes),
    config=lambda values: (int(values["members"]), int(values["width"])),
)


def load_path_network(path: str | Path | None = None, *, observed: bool = False) -> PathNetwork:
    """Read :meth:`PathNetwork.save` back, frozen.

    Args:
        path: None for a packaged one.
        observed: which of these: that for observed states, whose velocities have errors, or that
            for true ones.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read or is of another kind.
    """
    if path is None:
        return _packaged("path_observed" if observed else "path_true")
    return _FILES.load(path).requires_grad_(False)


@cache
def _packaged(name: str) -> PathNetwork:
    return load_path_network(_ASSETS / f"{name}.safetensors")


@cache
def _spline(steps: int) -> Tensor:
    """(T, 5) what a value at each knot adds at each frame: it and its slope are zero at first.

    After the last knot the path goes on straight.
    """
    knots = np.array([0.0, *KNOTS_S])
    values = np.vstack((np.zeros(len(KNOTS_S)), np.eye(len(KNOTS_S))))
    flat, natural = (1, np.zeros(len(KNOTS_S))), (2, np.zeros(len(KNOTS_S)))
    curve = CubicSpline(knots, values, bc_type=(flat, natural))
    time = np.arange(1, steps + 1) / FRAME_RATE
    last = knots[-1]
    told = curve(np.minimum(time, last))
    told = told + np.maximum(time - last, 0.0)[:, None] * curve(last, 1)
    with torch.inference_mode(False):
        return torch.from_numpy(told)
