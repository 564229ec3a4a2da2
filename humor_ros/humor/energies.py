"""The energies of HuMoR's fit, unweighted.

Rempe et al., "HuMoR", ICCV 2021, section 4.2 and supplement. All are sums, never means. Where an
observation holds infinity (or NaN), it is missing and adds nothing, to the gradient either.
B sequences of T frames; metres and pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.humor.mixture import InitialStateMixture, initial_state_feature
from humor_ros.humor.networks import LatentGaussian
from humor_ros.humor.robust import bisquare_weights, geman_mcclure
from humor_ros.humor.state import BONE_PARENTS, MotionState

__all__ = [
    "IGNORED_OPENPOSE",
    "ImageProjection",
    "bone_length_energy",
    "contact_height_energy",
    "contact_velocity_energy",
    "ground_energy",
    "image_energy",
    "initial_state_energy",
    "latent_energy",
    "point_energy",
    "smoothness_energy",
    "surface_energy",
    "transition_energy",
    "velocity_difference_energy",
]

#: OpenPose joints that no SMPL joint matches: neck, right and left hip.
IGNORED_OPENPOSE = (1, 9, 12)

_IMAGE_SCALE_PX = 100.0
_CONTACT_HEIGHT = 0.08


def point_energy(points: Tensor, observed: Tensor) -> Tensor:
    """Half the squared distances of points to their observations.

    Args:
        points: (..., 3) (or any other numbers).
        observed: of the same shape; not finite where missing.
    """
    seen = torch.isfinite(observed)
    return 0.5 * (points - observed.where(seen, points.detach())).where(seen, 0.0).square().sum()


def smoothness_energy(points: Tensor) -> Tensor:
    """Half the squared displacements of points (B, T, ...) from frame to frame."""
    return 0.5 * (points[:, 1:] - points[:, :-1]).square().sum()


def velocity_difference_energy(points: Tensor, others: Tensor) -> Tensor:
    """Half the squared differences of two motions' displacements, both (..., T, N, 3)."""
    return 0.5 * (points.diff(dim=-3) - others.diff(dim=-3)).square().sum()


@dataclass(frozen=True, eq=False)
class ImageProjection:
    """A pinhole without distortion.

    Attributes:
        focal: (B, 2) pixels.
        centre: (B, 2) pixels.
    """

    focal: Tensor
    centre: Tensor

    def __call__(self, points: Tensor) -> Tensor:
        """(B, T, N, 2) pixels of points (B, T, N, 3) in the camera frame."""
        flat = points[..., :2] / points[..., 2:]
        return flat * self.focal[:, None, None] + self.centre[:, None, None]


def image_energy(points: Tensor, observed: Tensor, projection: ImageProjection) -> Tensor:
    """Robust distance of projected points to key-points, weighted by squared confidence.

    Args:
        points: (B, T, 25, 3) joints in OpenPose's order, camera frame.
        observed: (B, T, 25, 3) pixels and confidence.
        projection: of the camera.
    """
    confidence = observed[..., 2].clone()
    confidence[..., IGNORED_OPENPOSE] = 0.0
    seen = torch.isfinite(observed).all(dim=-1, keepdim=True)
    residual = (projection(points) - observed[..., :2]).where(seen, 0.0)
    weight = confidence[..., None].where(seen, 0.0).square()
    return (weight * geman_mcclure(residual, _IMAGE_SCALE_PX)).sum()


def surface_energy(points: Tensor, observed: Tensor) -> Tensor:
    """Half the squared distance of each observed point to the nearest of the body's, reweighted.

    The bisquare's scale is that of a whole sequence. Which point is nearest and how much it
    weighs carry no gradient.

    Args:
        points: (B, T, V, 3) surface of the body.
        observed: (B, T, P, 3) points of a depth camera; not finite where missing.
    """
    with torch.no_grad():
        nearest = torch.cdist(observed, points).argmin(dim=-1)
    matched = points.gather(2, nearest[..., None].expand(*nearest.shape, 3))
    seen = torch.isfinite(observed).all(dim=-1)
    away = (matched - observed).where(seen[..., None], 0.0)
    squared = away.square().sum(dim=-1)
    distance = squared.detach().sqrt().where(seen, torch.nan).flatten(start_dim=1)
    weight = bisquare_weights(distance).unflatten(1, squared.shape[1:])
    return 0.5 * (weight * squared).sum()


def latent_energy(latent: Tensor) -> Tensor:
    """Squared length of latents or shape, a standard normal's energy twice without constant."""
    return latent.square().sum()


def transition_energy(z: Tensor, prior: LatentGaussian) -> Tensor:
    """Negative log-density of transitions under the conditional prior; both may vary."""
    return -prior.log_prob(z).sum()


def initial_state_energy(state: MotionState, mixture: InitialStateMixture) -> Tensor:
    """Negative log-density of initial states (B)."""
    return -mixture.log_prob(initial_state_feature(state)).sum()


def bone_length_energy(joints: Tensor) -> Tensor:
    """Half the squared changes of bone lengths of predicted joints (B, T, 22, 3)."""
    bones = joints[..., 1:, :] - joints[..., BONE_PARENTS[1:], :]
    return smoothness_energy(torch.linalg.vector_norm(bones, dim=-1))


def contact_velocity_energy(joints: Tensor, contacts: Tensor) -> Tensor:
    """Half the squared displacement of each joint, weighted by its contact.

    Args:
        joints: (B, T, 22, 3).
        contacts: (B, T, 22) probability; that of the later frame counts.
    """
    moved = (joints[:, 1:] - joints[:, :-1]).square().sum(dim=-1)
    return 0.5 * (contacts[:, 1:] * moved).sum()


def contact_height_energy(joints: Tensor, contacts: Tensor) -> Tensor:
    """Distance beyond 8 cm of joints (B, T, 22, 3) from the ground z = 0, weighted by contact."""
    height = joints[..., 2].abs()
    return (torch.relu(height - _CONTACT_HEIGHT) * contacts).sum()


def ground_energy(point: Tensor, plane: Tensor) -> Tensor:
    """Half the squared distance of the ground's nearest point from an observed ground's.

    Args:
        point: (B, 3) the variable, ``n d``.
        plane: (B, 4) observed ground.
    """
    return point_energy(point, plane[..., :3] * plane[..., 3:])
