"""Points of a posed body with their derivatives, for the real-time solver.

A point is the root joint plus arrows that turn with the joints (see ``humor_ros.body.points``),
so turning a joint turns the arrows at and below it: with S the sum of those arrows, a small turn
w of the joint moves the point by w x S. This gives all derivatives by one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.body import SMPL_PARENTS, BodyModel, global_rotations
from humor_ros.humor.state import NUM_JOINTS

__all__ = ["NUM_MOVES", "SolverBody", "SolverPoints", "cross_matrix"]

#: Numbers that move one frame: root position, root turn, 21 joint turns.
NUM_MOVES = 3 + 3 * NUM_JOINTS


def cross_matrix(vectors: Tensor) -> Tensor:
    """(..., 3, 3) matrices of ``v x`` for vectors (..., 3)."""
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), dim=-1).unflatten(-1, (3, 3))


@dataclass(frozen=True, eq=False)
class SolverPoints:
    """Points of one person over T frames and how they move.

    Attributes:
        joints: (T, 22, 3) world, metres; ``coco`` (T, 17, 3); ``feet`` (T, 4, 3).
        turns: (T, 22, 3, 3) global rotations of the joints.
        jacobian: (T, 43, 3, 69) of joints, coco and feet by the frame's moves; None where not
            asked for. A move is the root's shift, its turn in the world, and each joint's turn
            in its parent's frame, all applied from the left.
        shape_jacobian: (T, 43, 3, 10) by the shape.
    """

    points: Tensor
    turns: Tensor
    jacobian: Tensor | None = None
    shape_jacobian: Tensor | None = None

    @property
    def joints(self) -> Tensor:
        """(T, 22, 3)."""
        return self.points[:, :NUM_JOINTS]

    @property
    def coco(self) -> Tensor:
        """(T, 17, 3)."""
        return self.points[:, NUM_JOINTS : NUM_JOINTS + 17]

    @property
    def feet(self) -> Tensor:
        """(T, 4, 3)."""
        return self.points[:, NUM_JOINTS + 17 :]


class SolverBody:
    """Kinematics of a body model with derivatives; pose blend shapes of points are left out.

    They move no joint, and the package's free body has none.
    """

    def __init__(self, body: BodyModel, *, dtype: torch.dtype = torch.float64) -> None:
        """Take the factors from a body.

        Args:
            body: packaged or a user's own.
            dtype: of the computation.
        """
        self.body = body
        arrow_joints: Tensor = body._arrow_joints
        sums = body._arrows_to_points.to(dtype)
        # Of the 24 joints the hands are left out; of the 31 key-points COCO's 17 are kept.
        chosen = [*range(NUM_JOINTS), *range(24, 24 + 17), *range(24 + 31, 24 + 35)]
        self._sums = sums[1:, chosen]
        self._arrow_joints = arrow_joints.clone()
        below = _below()[:NUM_JOINTS][:, arrow_joints].to(dtype)
        self._subtree = (below[:, None] * self._sums.T[None]).flatten(0, 1)
        self._shape = body._shape_to_arrows.to(dtype).unflatten(-1, (3, -1))
        self.dtype = dtype

    @property
    def num_points(self) -> int:
        """22 joints, 17 key-points, 4 foot points."""
        return self._sums.shape[1]

    def rest_root(self, betas: Tensor) -> Tensor:
        """(3,) root joint of the shape at rest."""
        return (self._shape[0] + torch.tensordot(betas, self._shape[1:], dims=1))[:, 0]

    def __call__(
        self, betas: Tensor, rotations: Tensor, root: Tensor, *, derivatives: bool = False
    ) -> SolverPoints:
        """Pose one person.

        Args:
            betas: (10,) shape.
            rotations: (T, 22, 3, 3) of each joint relative to its parent, root in the world.
            root: (T, 3) root joint, metres.
            derivatives: whether to give the Jacobians.
        """
        count = rotations.shape[0]
        hands = torch.eye(3, dtype=rotations.dtype).expand(count, 2, 3, 3)
        turns = global_rotations(torch.cat((rotations, hands), dim=1))
        arrows = (self._shape[0] + torch.tensordot(betas, self._shape[1:], dims=1))[:, 1:].T
        by_arrow = turns[:, self._arrow_joints]
        turned = (by_arrow @ arrows[:, :, None])[..., 0]
        points = root[:, None] + torch.einsum("kn,tkc->tnc", self._sums, turned)
        if not derivatives:
            return SolverPoints(points, turns[:, :NUM_JOINTS])
        number = self.num_points
        sums = (self._subtree @ turned.transpose(0, 1).reshape(turned.shape[1], -1)).reshape(
            NUM_JOINTS, number, count, 3
        )
        parents = torch.eye(3, dtype=rotations.dtype).repeat(count, NUM_JOINTS, 1, 1)
        parents[:, 1:] = turns[:, list(SMPL_PARENTS[1:NUM_JOINTS])]
        by_turn = -cross_matrix(sums.permute(2, 0, 1, 3)) @ parents[:, :, None]
        jacobian = points.new_zeros(count, number, 3, NUM_MOVES)
        jacobian[..., :3] = torch.eye(3, dtype=rotations.dtype)
        jacobian[..., 3:] = by_turn.permute(0, 2, 3, 1, 4).flatten(start_dim=3)
        directions = self._shape[1:, :, 1:].permute(2, 1, 0)
        by_shape = torch.einsum("kn,tkcb->tncb", self._sums, by_arrow @ directions)
        return SolverPoints(points, turns[:, :NUM_JOINTS], jacobian, by_shape)


def _below() -> Tensor:
    """(24, 24): entry (j, k) is 1 where joint k is j or below it."""
    matrix = torch.eye(len(SMPL_PARENTS))
    for joint, parent in enumerate(SMPL_PARENTS):
        if parent >= 0:
            matrix[:, joint] = torch.maximum(matrix[:, joint], matrix[:, parent])
    return matrix
