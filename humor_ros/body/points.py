"""Exact joints and regressed points of a skinned body without its vertices.

Blend skinning (Loper et al., SMPL, 2015, section 3) places vertex v at
``sum_j w_vj (G_j (t_v - J_j) + P_j)``, with G_j the global rotation and P_j the posed place of
joint j, J_j its place at rest, and t_v the vertex at rest with its shape and pose blend shapes.
A point regressed by ``sum_v R_nv vertex_v`` is then

    ``p_n = sum_j G_j c_nj + sum_j m_nj P_j``,
    ``m_nj = sum_v R_nv w_vj``,   ``c_nj = sum_v R_nv w_vj t_v - m_nj J_j``.

Both t_v and J_j are linear in the features (1, betas, R - I), and so are the c_nj and the bones
between joints: one matrix product gives them all, one gather and one product rotate them, and
one matrix product sums them to joints and points. Pairs (n, j) without weight are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from humor_ros.body.kinematics import joint_ancestors
from humor_ros.body.skeleton import SMPL_PARENTS
from humor_ros.body.smpl_arrays import NUM_BETAS, SmplArrays
from humor_ros.types import Array

__all__ = ["PointOperator"]

_NUM_JOINTS = len(SMPL_PARENTS)


@dataclass(frozen=True, eq=False)
class PointOperator:
    """The three constant factors of the computation, for K arrows and N points.

    Arrows are vectors that turn with one joint: 23 bones, then the c_nj that have weight.

    Attributes:
        shape_to_arrows: (11, 3 (1 + K)) maps (1, betas) to the root joint and the arrows,
            coordinate-major: all x, all y, all z.
        pose_to_arrows: (207, 3 (1 + K)) maps R - I of joints 1-23 to the same; None for a body
            without pose blend shapes.
        arrow_joints: (K,) joint whose global rotation turns each arrow.
        arrows_to_points: (1 + K, 24 + N) sums the root joint and the turned arrows to the 24
            joints and the N points.
    """

    shape_to_arrows: Array
    pose_to_arrows: Array | None
    arrow_joints: NDArray[np.int64]
    arrows_to_points: Array

    @classmethod
    def build(cls, arrays: SmplArrays, regressor: Array) -> PointOperator:
        """Sum the body's arrays over the vertices, once.

        Args:
            arrays: the body.
            regressor: (N, V) points as sums of vertices.
        """
        # (V, 3, 1 + 10): rest vertices as a linear map of (1, betas).
        rest = np.concatenate((arrays.v_template[..., None], arrays.shapedirs), axis=-1)
        joints = np.einsum("jv,vcf->jcf", arrays.joint_regressor, rest)
        bones = joints[1:] - joints[list(SMPL_PARENTS[1:])]

        masses = regressor @ arrays.weights
        has_weight = (np.abs(regressor) @ np.abs(arrays.weights)) > 0
        points, turned_by = np.nonzero(has_weight)
        pairs = len(points)
        summed = np.empty((pairs, 3, 1 + NUM_BETAS))
        pose_summed = np.empty((pairs, 3, arrays.posedirs.shape[-1]))
        for pair, (point, joint) in enumerate(zip(points, turned_by, strict=True)):
            support = np.flatnonzero(regressor[point])
            share = regressor[point, support] * arrays.weights[support, joint]
            summed[pair] = np.tensordot(share, rest[support], axes=1)
            pose_summed[pair] = np.tensordot(share, arrays.posedirs[support], axes=1)
        mass = masses[points, turned_by]
        summed -= mass[:, None, None] * joints[turned_by]

        arrows = np.concatenate((joints[:1], bones, summed))
        pose_arrows = np.concatenate((np.zeros((_NUM_JOINTS, *pose_summed.shape[1:])), pose_summed))
        ancestors = joint_ancestors(SMPL_PARENTS)
        arrows_to_points = np.zeros((_NUM_JOINTS + pairs, _NUM_JOINTS + len(regressor)))
        arrows_to_points[:_NUM_JOINTS, :_NUM_JOINTS] = ancestors
        arrows_to_points[:_NUM_JOINTS, _NUM_JOINTS:] = ancestors @ masses.T
        arrows_to_points[np.arange(_NUM_JOINTS, _NUM_JOINTS + pairs), _NUM_JOINTS + points] = 1.0
        return cls(
            shape_to_arrows=_coordinate_major(arrows),
            pose_to_arrows=_coordinate_major(pose_arrows) if pose_summed.any() else None,
            arrow_joints=np.concatenate((SMPL_PARENTS[1:], turned_by)).astype(np.int64),
            arrows_to_points=arrows_to_points,
        )


def _coordinate_major(arrows: Array) -> Array:
    """(K, 3, features) to (features, 3 K)."""
    return np.ascontiguousarray(arrows.transpose(2, 1, 0).reshape(arrows.shape[2], -1))
