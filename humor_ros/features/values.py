"""What the image encoder says of people, as values with shapes, frames and units."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.geometry.rotation import rotation_6d_to_matrix

__all__ = ["EncoderOutput", "rotations_of_pose"]


@dataclass(frozen=True)
class EncoderOutput:
    """Feature and body of P people, each in the camera frame of their own crop.

    The crop's camera looks at the middle of the crop, x right, y down, z forward: people off the
    image's centre are turned as they look in their crop, as in the published method.

    Attributes:
        feature: (P, 1024) what WHAM integrates.
        pose: (P, 144) 24 joint rotations, root first, raw 6D in the encoder's own layout (first
            and second COLUMN; WHAM's has rows).
        betas: (P, 10) body shape.
        cam: (P, 3) weak-perspective camera of the crop: scale, x, y.
    """

    feature: Tensor
    pose: Tensor
    betas: Tensor
    cam: Tensor

    @property
    def rotations(self) -> Tensor:
        """(P, 24, 3, 3) joint rotations relative to the parent, the first is the root's."""
        return rotations_of_pose(self.pose)

    def finite(self) -> Tensor:
        """(P,) bool, whether every number of a person is finite."""
        parts = (self.feature, self.pose, self.betas, self.cam)
        return torch.stack([torch.isfinite(part).all(dim=-1) for part in parts]).all(dim=0)

    def select(self, index: slice | Tensor) -> EncoderOutput:
        """Of the people at these indices."""
        return EncoderOutput(
            self.feature[index], self.pose[index], self.betas[index], self.cam[index]
        )

    def put(self, index: Tensor, people: EncoderOutput) -> None:
        """Write people into the rows at these indices, in place."""
        for name in ("feature", "pose", "betas", "cam"):
            getattr(self, name)[index] = getattr(people, name)

    def to(self, device: torch.device | str, dtype: torch.dtype) -> EncoderOutput:
        """On another device, as another type."""
        return EncoderOutput(
            *(t.to(device, dtype) for t in (self.feature, self.pose, self.betas, self.cam))
        )

    @classmethod
    def cat(cls, parts: list[EncoderOutput]) -> EncoderOutput:
        """Everybody of all parts."""
        return cls(
            torch.cat([part.feature for part in parts]),
            torch.cat([part.pose for part in parts]),
            torch.cat([part.betas for part in parts]),
            torch.cat([part.cam for part in parts]),
        )


def rotations_of_pose(pose: Tensor) -> Tensor:
    """Rotations (..., 24, 3, 3) of the encoder's pose (..., 144).

    Its six numbers are the first two columns of a rotation, one after the other; WHAM's are the
    first two rows, so each matrix is the transpose of that of the row form.
    """
    return rotation_6d_to_matrix(pose.unflatten(-1, (24, 6))).transpose(-1, -2)
