"""The pose that explains the key-points: a measurement update of the network's answer.

The network's answer follows its input loosely where a pose is unlike those that it was trained
with; what it lifts there does not project onto the key-points that it was given. Its answer is
taken as a Gaussian prior, with the covariance that its errors had on held-out motion, and the
key-points of this image as measurements; an iterated extended Kalman update (Bell and Cathey, 1993)
gives the most probable pose. Nothing flows back into the recurrent networks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from humor_ros.body.skeleton import SMPL_PARENTS
from humor_ros.types import Array

__all__ = ["FITTED_JOINTS", "FITTED_POINTS", "PoseCorrection", "fit_pose"]

#: Joints that the body's key-points tell of: root, hips, knees, spine, collars, shoulders, elbows.
FITTED_JOINTS = (0, 1, 2, 3, 4, 5, 6, 9, 13, 14, 16, 17, 18, 19)
#: COCO's shoulders to ankles, and the joint with whose bone each of them turns.
FITTED_POINTS = (5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
_LIMB = (13, 14, 16, 17, 18, 19, 0, 0, 1, 2, 4, 5)
_ITERATIONS = 3
_NEAREST_M = 0.1


def _moves() -> Array:
    """(12, J) 1 where a fitted joint is the limb of a key-point or above it."""
    table = np.zeros((len(_LIMB), len(FITTED_JOINTS)))
    for point, limb in enumerate(_LIMB):
        joint = limb
        while joint >= 0:
            if joint in FITTED_JOINTS:
                table[point, FITTED_JOINTS.index(joint)] = 1.0
            joint = SMPL_PARENTS[joint]
    return table


_MOVES = _moves()


@dataclass(frozen=True)
class PoseCorrection:
    """What is thought of the way from the network's joints to the true ones.

    Attributes:
        mean: (42,) rotation vectors in the joints' own frames, ``FITTED_JOINTS`` one by one, rad.
        covariance: (42, 42) of its error, rad².
    """

    mean: Array
    covariance: Array

    @classmethod
    def unknown(cls, pose_error: Array) -> PoseCorrection:
        """Before the first image: nothing but how the network errs, (42, 42) rad²."""
        return cls(np.zeros(len(pose_error)), pose_error)

    def after(self, interval_s: float, pose_error: Array, time_s: float) -> PoseCorrection:
        """Some time later: the network's errors are a stationary first-order autoregression."""
        keep = math.exp(-max(interval_s, 0.0) / time_s)
        return PoseCorrection(
            keep * self.mean, keep**2 * self.covariance + (1.0 - keep**2) * pose_error
        )


def fit_pose(
    rotations: Array,
    joints: Array,
    points: Array,
    rays: Array,
    confidence: Array,
    prior_translation: Array,
    *,
    correction: PoseCorrection,
    translation_covariance: Array,
    ray_sigma: float,
) -> tuple[Array, PoseCorrection]:
    """Update the network's pose with one image's key-points.

    Args:
        rotations: (24, 3, 3) the network's local rotations, the root's in the camera.
        joints: (24, 3) its joints, and
        points: (12, 3) its key-points ``FITTED_POINTS``, camera axes, origin at the mid-hip.
        rays: (12, 2) measured x / z, y / z.
        confidence: (12,) in [0, 1]; 0 leaves a point out.
        prior_translation: (3,) of the mid-hip in the camera, metres.
        correction: what is thought before the image.
        translation_covariance: (3, 3) of the prior translation, metres².
        ray_sigma: standard deviation of a ray that is sure.

    Returns:
        The most probable local rotations (24, 3, 3), and what is thought after the image.
    """
    seen = confidence > 0.0
    if not seen.any() or prior_translation[2] <= _NEAREST_M:
        return _corrected(rotations, correction.mean), correction
    count = 3 * len(FITTED_JOINTS)
    prior = np.concatenate((correction.mean, np.zeros(3)))
    before = np.zeros((count + 3, count + 3))
    before[:count, :count] = correction.covariance
    before[count:, count:] = translation_covariance
    # Points and joints in the frames of the limbs that carry them, which the update keeps.
    turns = _global(rotations)
    arms = np.einsum("nji,nj->ni", turns[list(_LIMB)], points - joints[list(_LIMB)])
    bones = np.zeros((24, 3))
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        bones[joint] = turns[parent].T @ (joints[joint] - joints[parent])
    state = prior
    chosen = np.flatnonzero(seen)
    turns = _global(_corrected(rotations, correction.mean))
    for _ in range(_ITERATIONS):
        places = _places(turns, bones, joints[0])
        moved = places[list(_LIMB)] + np.einsum("nij,nj->ni", turns[list(_LIMB)], arms)
        hips = moved[6:8].mean(0)
        translation = prior_translation + state[count:]
        at = moved - hips + translation
        depth = np.maximum(at[:, 2], _NEAREST_M)
        slopes = _slopes(turns, places, moved)
        slopes = slopes - slopes[6:8].mean(0)
        slopes = np.concatenate((slopes, np.broadcast_to(np.eye(3), (len(at), 3, 3))), axis=2)
        predicted = at[:, :2] / depth[:, None]
        rows = (slopes[:, :2] - predicted[:, :, None] * slopes[:, 2:]) / depth[:, None, None]
        residual = rays - predicted
        robust = 1.0 + np.square(residual / (4.0 * ray_sigma)).sum(1)
        variance = ray_sigma**2 * robust / np.maximum(confidence, 1e-6)
        rows, residual = rows[chosen].reshape(-1, count + 3), residual[chosen].ravel()
        spread = before @ rows.T
        innovation = rows @ spread + np.diag(np.repeat(variance[chosen], 2))
        gain = np.linalg.solve(innovation, spread.T).T
        state = prior + gain @ (residual + rows @ (state - prior))
        current = _corrected(rotations, state[:count])
        turns = _global(current)
    after = before - gain @ spread.T
    after = (after + after.T) / 2.0
    return current, PoseCorrection(state[:count], after[:count, :count])


def _corrected(rotations: Array, correction: Array) -> Array:
    fitted = list(FITTED_JOINTS)
    current = rotations.copy()
    turned = Rotation.from_rotvec(correction.reshape(-1, 3)).as_matrix()
    current[fitted] = rotations[fitted] @ turned
    return current


def _global(rotations: Array) -> Array:
    turns = rotations.copy()
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        turns[joint] = turns[parent] @ rotations[joint]
    return turns


def _places(turns: Array, bones: Array, root: Array) -> Array:
    places = np.empty((24, 3))
    places[0] = root
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        places[joint] = places[parent] + turns[parent] @ bones[joint]
    return places


def _slopes(turns: Array, places: Array, points: Array) -> Array:
    """(12, 3, 42) how the points move with each joint's rotation vector in its own frame."""
    fitted = list(FITTED_JOINTS)
    arm = points[:, None] - places[fitted]
    # d(G exp(w) c) = -[G c] G w, column by column: (G e_k) x arm.
    columns = np.cross(turns[fitted].transpose(0, 2, 1)[None], arm[:, :, None])
    columns = columns * _MOVES[:, :, None, None]
    return columns.transpose(0, 3, 1, 2).reshape(len(points), 3, -1)
