"""The ground plane in the camera, and the prior's world that stands on it.

The camera does not move and looks along z with y down. A plane is (n, d) with ``n . p = d`` for
its points and n pointing up (n_y < 0); the fit's variable is the product ``n d`` (3 numbers).
Rempe et al., "HuMoR", ICCV 2021, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["PriorFrame", "plane_from_point", "plane_to_point", "prior_frame"]


def plane_to_point(plane: Tensor) -> Tensor:
    """(..., 3) the plane's point nearest to the camera, ``n d``, of planes (..., 4)."""
    return plane[..., :3] * plane[..., 3:]


def plane_from_point(point: Tensor) -> Tensor:
    """The plane with a given nearest point.

    Args:
        point: (..., 3) metres, camera frame; not the camera itself.

    Returns:
        (..., 4) unit normal with n_y <= 0, and offset.
    """
    offset = torch.linalg.vector_norm(point, dim=-1, keepdim=True)
    plane = torch.cat((point / offset, offset), dim=-1)
    return torch.where(plane[..., 1:2] > 0, -plane, plane)


@dataclass(frozen=True, eq=False)
class PriorFrame:
    """The world of the prior, placed under the body of the first frame.

    Attributes:
        rotation: (B, 3, 3) camera to prior.
        shift: (B, 3) added to camera points before they are turned: minus the first translation.
        root_height: (B, 1) height of the root joint above the ground in the first frame, metres.
    """

    rotation: Tensor
    shift: Tensor
    root_height: Tensor

    def to(self, dtype: torch.dtype) -> PriorFrame:
        """The same in another floating-point type."""
        return PriorFrame(self.rotation.to(dtype), self.shift.to(dtype), self.root_height.to(dtype))

    def orient_to_prior(self, root_orient: Tensor) -> Tensor:
        """(B, T, 3, 3) root rotations, camera to prior."""
        return self.rotation[:, None] @ root_orient

    def orient_to_camera(self, root_orient: Tensor) -> Tensor:
        """(B, T, 3, 3) root rotations, prior to camera."""
        return self.rotation.transpose(-1, -2)[:, None] @ root_orient

    def trans_to_prior(self, trans: Tensor, rest_root: Tensor) -> Tensor:
        """Translations from camera to prior.

        SMPL turns about its root joint, which stands at ``trans + rest_root`` whatever the
        rotation, so the translation's height follows from the root joint's.

        Args:
            trans: (B, T, 3) camera frame; frame 0 is the one the frame was made of.
            rest_root: (B, 3) the root joint of the shape at rest.
        """
        turned = self._turn(self.rotation, trans + self.shift[:, None])
        height = self.root_height - rest_root[:, 2:] - turned[:, 0, 2:]
        zero = torch.zeros_like(height)
        return turned + torch.cat((zero, zero, height), dim=-1)[:, None]

    def trans_to_camera(self, trans: Tensor) -> Tensor:
        """(B, T, 3) translations from prior to camera; frame 0 returns to where it came from."""
        back = self._turn(self.rotation.transpose(-1, -2), trans - trans[:, :1])
        return back - self.shift[:, None]

    @staticmethod
    def _turn(rotation: Tensor, points: Tensor) -> Tensor:
        return (rotation[:, None] @ points[..., None])[..., 0]


def prior_frame(
    plane: Tensor, trans: Tensor, root_orient: Tensor, root_joint: Tensor
) -> PriorFrame:
    """Place the prior's world: up is the ground's normal, x the body's right along the ground.

    Args:
        plane: (B, 4) ground in the camera frame.
        trans: (B, 3) SMPL translation of the first frame, camera frame.
        root_orient: (B, 3, 3) root rotation of the first frame, body to camera.
        root_joint: (B, 3) root joint of the first frame, camera frame.
    """
    up, offset = plane[:, :3], plane[:, 3:]
    body_right = -root_orient[..., 0]
    above = (body_right * up).sum(dim=-1, keepdim=True)
    # The projection is defined for every body whose right side is not vertical, upright ones too.
    right = functional.normalize(body_right - above * up, dim=-1)
    forward = torch.linalg.cross(up, right, dim=-1)
    return PriorFrame(
        rotation=torch.stack((right, forward, up), dim=-2),
        shift=-trans,
        root_height=(root_joint * up).sum(dim=-1, keepdim=True) - offset,
    )
