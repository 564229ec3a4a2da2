"""One batch of the published training: inputs and whatever is known of the truth, all tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from humor_ros.wham.camera_input import camera_turn
from humor_ros.wham.config import N_KEYPOINTS, WhamConfig
from humor_ros.wham.keypoint_motion import keypoint_motion
from humor_ros.wham.values import WhamInputs

__all__ = ["BODIES", "PublishedBatch", "centred_intrinsics"]

#: Bodies that a truth may be fitted with; ``body_index`` counts them.
BODIES = ("neutral", "female", "male")


@dataclass(frozen=True)
class PublishedBatch:
    """B clips of T frames; metres, pixels, camera axes or the y-down world.

    Masks (B,) guard what their names say; what they leave out is zero.

    Attributes:
        x: (B, T, 37), mask: (B, T, 17) true where unseen, cam_angvel: (B, T, 6): inputs.
        gravity: (B, T, 3) unit vector down in camera axes, zeros where unknown; an input that
            the published network does not take.
        img_features: (B, T, F), zeros where there is no image; F = 0 leaves the integrator out.
        bbox: (B, T, 3) box centre (pixels) and side / 200; image_size: (B, 2) W, H;
            intrinsics: (B, 1, 3, 3).
        init_kp: (B, 1, 88), init_smpl: (B, 1, 24, 6), init_root: (B, 1, 6).
        pose: (B, T, 24, 6), betas: (B, T, 10), has_smpl: (B,).
        body_index: (B,) int64 index into :data:`BODIES`; has_vertices: (B,) whether that body
            posed with pose and betas is the true surface.
        keypoints3d: (B, T, 31, 4) and confidence.
        keypoints2d_full: (B, T, 31, 3) pixels, keypoints2d_weak: (B, T, 31, 3) half crops
            from the crop's centre; both with confidence.
        contact: (B, T, 4), -1 where unknown.
        root: (B, T + 1, 6) in the world, has_root: (B,).
        velocity: (B, T, 3) root frame of the frame before, metres a frame; has_velocity: (B,).
        rotation_camera_world: (B, T + 1, 3, 3), has_camera: (B,).
    """

    x: Tensor
    mask: Tensor
    cam_angvel: Tensor
    gravity: Tensor
    img_features: Tensor
    bbox: Tensor
    image_size: Tensor
    intrinsics: Tensor
    init_kp: Tensor
    init_smpl: Tensor
    init_root: Tensor
    pose: Tensor
    betas: Tensor
    has_smpl: Tensor
    body_index: Tensor
    has_vertices: Tensor
    keypoints3d: Tensor
    keypoints2d_full: Tensor
    keypoints2d_weak: Tensor
    contact: Tensor
    root: Tensor
    has_root: Tensor
    velocity: Tensor
    has_velocity: Tensor
    rotation_camera_world: Tensor
    has_camera: Tensor

    def __len__(self) -> int:
        """Number of clips, B."""
        return len(self.x)

    def to(self, device: torch.device) -> PublishedBatch:
        """The same on another device."""
        return PublishedBatch(
            **{f.name: getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)}
        )

    @classmethod
    def cat(cls, batches: Sequence[PublishedBatch]) -> PublishedBatch:
        """All clips of several batches, in order.

        Raises:
            ValueError: no batch is given.
        """
        if not batches:
            raise ValueError("batches is empty; give at least one PublishedBatch")
        return cls(
            **{f.name: torch.cat([getattr(b, f.name) for b in batches]) for f in fields(cls)}
        )

    def inputs(self, config: WhamConfig) -> WhamInputs:
        """What a network of this configuration is given."""
        return WhamInputs(
            x=self.x,
            mask=self.mask,
            cam_angvel=self.cam_angvel,
            img_features=self.img_features if self.img_features.shape[-1] else None,
            bbox=self.bbox,
            res=self.image_size,
            cam_intrinsics=self.intrinsics,
            gravity=self.gravity if config.gravity_input else None,
            motion=self._motion() if config.motion_input else None,
        )

    def _motion(self) -> Tensor:
        """Displacement of the key-points since the frame before; none at the first frame."""
        half = 100.0 * self.bbox[..., None, 2:]
        points = self.x[..., : 2 * N_KEYPOINTS].unflatten(-1, (N_KEYPOINTS, 2))
        pixels = points * half + self.bbox[..., None, :2]
        seen = ~self.mask[:, 1:] & ~self.mask[:, :-1]
        moved = keypoint_motion(
            pixels[:, 1:],
            pixels[:, :-1],
            seen,
            camera_turn(self.cam_angvel[:, 1:]),
            self.intrinsics[:, :, 0, 0],
            self.image_size[:, None],
            self.bbox[:, 1:],
        )
        return torch.cat((torch.zeros_like(points[:, :1]), moved), 1)


def centred_intrinsics(focal: Tensor, image_size: Tensor) -> Tensor:
    """Pinhole matrices with the principal point at the centre of the image.

    Args:
        focal: (B,) pixels.
        image_size: (B, 2) W, H pixels.

    Returns:
        (B, 1, 3, 3).
    """
    matrix = image_size.new_zeros(len(focal), 1, 3, 3)
    matrix[:, 0, 0, 0] = matrix[:, 0, 1, 1] = focal
    matrix[:, 0, :2, 2] = image_size / 2
    matrix[:, 0, 2, 2] = 1.0
    return matrix
