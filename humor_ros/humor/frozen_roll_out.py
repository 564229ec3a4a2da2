"""Roll-outs of a network that learns no more, several times as fast as :mod:`rollout`.

The numbers are the same but for rounding; there are no gradients, and no record of what the
networks read. All people and samples are columns of one matrix, whose first 339 rows are what the
networks read: vectors and rotations by coordinate, so that an operation runs over whole blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from humor_ros.body.skeleton import SMPL_PARENTS
from humor_ros.humor.frames import in_local_frame, local_frame, root_offset
from humor_ros.humor.frozen_network import FrozenNetwork
from humor_ros.humor.limits import StepLimits, limit_constants
from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.packed import PackedState
from humor_ros.humor.rigid import RigidBones
from humor_ros.humor.state import INPUT_SIZE, NUM_JOINTS, MotionState

__all__ = ["FrozenPrior", "FrozenRollOut"]

#: Vectors in the matrix: translation and joints, then the velocities of translation, turn, joints.
_PLACES, _SPEEDS = 1 + NUM_JOINTS, 2 + NUM_JOINTS
_VECTORS = _PLACES + _SPEEDS
#: Where these stand in a state's row, and by threes in what the decoder writes.
_STARTS = (0, *range(207, 273, 3), 3, 15, *range(273, 339, 3))
_CHANGED_JOINTS = tuple(range(25, 47))
_CHANGED_SPEEDS = (1, 3, *range(47, 69))
_TURNS = (2, *range(4, 25))
#: The same among the vectors of :class:`PackedState`.
_PACKED = (0, *range(3, 25), 1, 2, *range(25, 47))
#: As in :mod:`frames` and :mod:`rotations`: the published guards.
_EPSILON, _OFFSET = 1e-6, 1e-8


#: Each joint's parent, its ancestor in the second and in the fourth generation. Beyond the root
#: (and it must not be its own parent) stands number 22, which is at rest.
_ANCESTORS = [np.array([NUM_JOINTS if p < 0 else p for p in SMPL_PARENTS[:NUM_JOINTS]])]
for _ in range(2):
    _ANCESTORS.append(np.append(_ANCESTORS[-1], NUM_JOINTS)[_ANCESTORS[-1]])


@dataclass(frozen=True, eq=False)
class FrozenRollOut:
    """T steps of B motions in the frame of their initial states, which are not among them.

    Attributes:
        root: (B, T, 3) root joints, metres.
        joints: (W, T, 22, 3) of the first W motions.
        rotations: (W, T, 22, 3, 3) of these, roots in that frame.
    """

    root: Tensor
    joints: Tensor
    rotations: Tensor


class FrozenPrior:
    """A network that is rolled out often.

    Args:
        network: not under training; its weights are copied.

    Raises:
        ValueError: the network is under training.
    """

    def __init__(self, network: HumorNetwork) -> None:
        self.config = network.config
        reads = [start + axis for axis in range(3) for start in _STARTS]
        bases = (6, *range(18, 207, 9))
        reads += [b + 3 * row + column for column in range(3) for row in range(3) for b in bases]
        joints = () if network.config.rigid else _CHANGED_JOINTS
        triples = (0, *joints, *_CHANGED_SPEEDS, *_TURNS)
        writes = [3 * triple + axis for axis in range(3) for triple in triples]
        self._network = FrozenNetwork(network, reads, writes)
        self._dtype = self._network.dtype
        changes, vectors, _ = limit_constants(self._dtype, torch.device("cpu"))
        self._longest_changes = changes[list(triples)].numpy()
        self._longest_speeds = vectors[list(_PACKED[_PLACES:])].numpy()

    @torch.no_grad()
    def roll_out(
        self,
        initial: MotionState,
        steps: int,
        *,
        noise: Tensor | None = None,
        whole: int | None = None,
    ) -> FrozenRollOut:
        """Predict what follows initial states.

        Args:
            initial: (B,) states in any frame whose ground is z = 0, z up.
            steps: T >= 1.
            noise: (T, n, latent) of a standard Gaussian for the last n states, whose transitions
                are drawn; the others take the prior's mean of each step.
            whole: W, how many motions are given with all joints; None for all.

        Raises:
            ValueError: there is no step, or the noise has another shape.
        """
        latent, people = self.config.latent_size, len(initial.trans)
        if steps < 1:
            raise ValueError(f"steps must be at least 1, got {steps}")
        if noise is not None and (
            noise.dim() != 3
            or noise.shape[0] < steps
            or noise.shape[1] > people
            or noise.shape[2] != latent
        ):
            raise ValueError(
                f"noise must have shape ({steps}, at most {people}, {latent}), "
                f"got {tuple(noise.shape)}"
            )
        with np.errstate(all="ignore"):  # roll-outs may explode; readers look for that
            bodies = _Bodies(initial, self._dtype, self.config.rigid)
            record = _Record(bodies, steps, people if whole is None else whole)
            for step in range(steps):
                raw = self._network(bodies.rows, None if noise is None else noise[step])
                changes = np.ascontiguousarray(raw.numpy().T).reshape(3, -1, people)
                if self.config.rigid:
                    _shorten(changes, self._longest_changes)
                bodies.change(changes)
                if self.config.rigid:
                    bodies.pose()
                    _shorten(bodies.speeds, self._longest_speeds)
                    bodies.lift()
                angle = bodies.heading()
                record.note(step, bodies, angle)
                bodies.turn(angle)
            return record.finished(bodies)


class _Bodies:
    """States of B bodies, each in its own canonical frame; everything is changed in place.

    Attributes:
        rows: (B, 339) what the networks read, in the order of :class:`FrozenPrior`.
        vectors: (3, 47, B) coordinates of vectors; ``places`` and ``speeds`` are parts of them.
        rotations: (3, 3, 22, B) column, row, joint.
        first_angle: (B,) from the frame of the initial states to their own.
        origin: (2, B) of their own in the frame of the initial states.
        pivot: (2, B) what joints turn about.
    """

    def __init__(self, initial: MotionState, dtype: torch.dtype, rigid: bool) -> None:
        state = initial.without_contacts()
        frame = local_frame(state)
        offset = root_offset(state, frame)
        packed = PackedState.pack(in_local_frame(state, frame, offset))
        people = len(state.trans)
        #: The last rows are bones, so that they stand beside the rotations.
        self._matrix = torch.zeros(INPUT_SIZE + 3 * NUM_JOINTS, people, dtype=dtype)
        self.rows = self._matrix[:INPUT_SIZE].T
        matrix = self._matrix.numpy()
        self.vectors = matrix[: 3 * _VECTORS].reshape(3, _VECTORS, people)
        self.places, self.speeds = self.vectors[:, :_PLACES], self.vectors[:, _PLACES:]
        #: Columns of rotations and then bones.
        self._rigid = matrix[3 * _VECTORS :].reshape(4, 3, NUM_JOINTS, people)
        self.rotations = self._rigid[:3]
        self.vectors[:] = packed.vectors[:, list(_PACKED)].permute(2, 1, 0).numpy()
        self.rotations[:] = packed.rotations.permute(3, 2, 1, 0).numpy()
        self.first_angle = torch.atan2(frame.rotation[:, 1, 0], frame.rotation[:, 0, 0]).numpy()
        self.origin = -frame.shift[:, :2].T.numpy()
        self.pivot = offset[:, :2].T.numpy().astype(matrix.dtype)
        self._local = np.zeros((4, 3, NUM_JOINTS + 1, people), matrix.dtype)
        self._local[range(3), range(3), -1] = 1.0
        if rigid:
            bones, limits = RigidBones.of(packed), StepLimits.of(packed)
            self._rigid[3, :, 1:] = bones.bones.permute(2, 1, 0).numpy()
            self._root = bones.root.T.numpy()
            self._low, self._high = limits.low.numpy(), limits.high.numpy()

    def change(self, changes: NDArray[Any]) -> None:
        """Add what the decoder writes (3, n, B) to vectors, and turn the rotations."""
        count = changes.shape[1] - _SPEEDS - NUM_JOINTS
        self.places[:, :count] += changes[:, :count]
        self.speeds += changes[:, count:-NUM_JOINTS]
        turns = _rodrigues(changes[:, -NUM_JOINTS:])
        self.rotations[:] = np.einsum("mijb,kmjb->kijb", turns, self.rotations)

    def pose(self) -> None:
        """Put the joints where translation, rotations and bones have them."""
        self._local[:, :, :-1] = self._rigid
        self._local[3, :, 0] = self.places[:, 0] + self._root
        for ancestors in _ANCESTORS:  # each joint in its parent's frame, then the second's, ...
            above = self._local.take(ancestors, axis=2)
            below = self._local[:, :, :-1]
            below[:] = np.einsum("mijb,kmjb->kijb", above[:3], below)
            below[3] += above[3]
        self.places[:, 1:] = self._local[3, :, :-1]

    def lift(self) -> None:
        """Lift or lower bodies whose lowest joint is not within its limits."""
        lowest = self.places[2, 1:].min(axis=0)
        self.places[2] += np.minimum(np.maximum(lowest, self._low), self._high) - lowest

    def heading(self) -> NDArray[Any]:
        """(B,) see :func:`humor_ros.humor.frames.heading_rotation`."""
        x, y = -self.rotations[0, 0, 0], -self.rotations[0, 1, 0]
        cosine = x / (np.sqrt(x * x + y * y) + _EPSILON)
        angle: NDArray[Any] = np.arccos(np.minimum(np.maximum(cosine, -1.0), 1.0))
        angle *= -y
        angle /= np.abs(y) + _EPSILON
        return angle

    def turn(self, angle: NDArray[Any]) -> None:
        """Step into the bodies' own frames, by their headings (B,)."""
        cosine, sine = np.cos(angle), np.sin(angle)
        level = self.vectors[:2]
        level[:, 1:_PLACES] -= (level[:, 0] + self.pivot)[:, None]
        level[:, 0] = 0.0
        _turn(level, cosine, sine)
        level[:, 1:_PLACES] += self.pivot[:, None]
        _turn(self.rotations[:, :2, 0].swapaxes(0, 1), cosine, sine)


class _Record:
    """What the steps leave behind, each in the frame of the step before it."""

    def __init__(self, bodies: _Bodies, steps: int, whole: int) -> None:
        kind, people = bodies.vectors.dtype, bodies.vectors.shape[2]
        self._whole = whole
        self._angles = np.empty((steps, people), kind)
        self._moved = np.empty((steps, 2, people), kind)
        self._root = np.empty((steps, 3, people), kind)
        self._joints = np.empty((steps, 3, NUM_JOINTS, whole), kind)
        self._rotations = np.empty((steps, 3, 3, NUM_JOINTS, whole), kind)

    def note(self, step: int, bodies: _Bodies, angle: NDArray[Any]) -> None:
        """Copy a step's state before it is turned into its own frame."""
        self._angles[step] = angle
        self._moved[step] = bodies.places[:2, 0]
        self._root[step] = bodies.places[:, 1]
        self._joints[step] = bodies.places[:, 1:, : self._whole]
        self._rotations[step] = bodies.rotations[..., : self._whole]

    def finished(self, bodies: _Bodies) -> FrozenRollOut:
        """Everything in the frame of the initial states: places and headings add up."""
        angle = np.cumsum(self._angles, axis=0) - self._angles + bodies.first_angle
        cosine, sine = np.cos(angle), -np.sin(angle)
        _turn(self._moved.swapaxes(0, 1), cosine, sine)
        place = np.cumsum(self._moved, axis=0) - self._moved + bodies.origin
        whole, pivot = self._whole, bodies.pivot
        self._root[:, :2] -= pivot
        _turn(self._root[:, :2].swapaxes(0, 1), cosine, sine)
        self._root[:, :2] += pivot + place
        joints, (near_cosine, near_sine) = self._joints, (cosine[:, :whole], sine[:, :whole])
        joints[:, :2] -= pivot[:, None, :whole]
        _turn(joints[:, :2].transpose(1, 2, 0, 3), near_cosine, near_sine)
        joints[:, :2] += (pivot + place)[:, :, None, :whole]
        _turn(self._rotations[:, :, :2, 0].transpose(2, 1, 0, 3), near_cosine, near_sine)
        return FrozenRollOut(
            root=torch.from_numpy(self._root).permute(2, 0, 1).contiguous(),
            joints=torch.from_numpy(joints).permute(3, 0, 2, 1).contiguous(),
            rotations=torch.from_numpy(self._rotations).permute(4, 0, 3, 2, 1).contiguous(),
        )


def _rodrigues(vectors: NDArray[Any]) -> NDArray[Any]:
    """(3, 3, n, B) rotations, column and row first, of rotation vectors (3, n, B)."""
    guarded = vectors + _OFFSET
    angle = np.sqrt(np.einsum("cnb,cnb->nb", guarded, guarded))
    cosine, sine = np.cos(angle), np.sin(angle)
    axis = vectors / angle
    turns = axis[:, None] * ((1.0 - cosine) * axis)
    turns.reshape(9, *angle.shape)[::4] += cosine
    x, y, z = sine * axis
    turns[1, 2] += x
    turns[2, 1] -= x
    turns[2, 0] += y
    turns[0, 2] -= y
    turns[0, 1] += z
    turns[1, 0] -= z
    result: NDArray[Any] = turns
    return result


def _shorten(vectors: NDArray[Any], longest: NDArray[Any]) -> None:
    """Shorten vectors (3, n, B) in place to lengths (n, 1)."""
    length = np.sqrt(np.einsum("cnb,cnb->nb", vectors, vectors))
    vectors *= longest / np.maximum(length, longest)


def _turn(level: NDArray[Any], cosine: NDArray[Any], sine: NDArray[Any]) -> None:
    """Turn (2, ..., B) about the vertical, in place."""
    x, y = level
    across, along = sine * y, sine * x
    level *= cosine
    x -= across
    y += along
