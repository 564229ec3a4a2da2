"""What an image encoder says of one person, as the stream of people takes it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

__all__ = ["PersonFeature"]


@dataclass(frozen=True)
class PersonFeature:
    """Feature and body of one person in one image, float32 on the CPU.

    Attributes:
        feature: (d_feat,) what the integrator merges.
        rotations: (24, 3, 3) pose, the root's in the camera.
        betas: (10,) shape.
        mirrored: the same of the mirrored crop, not mirrored back; needed for flip averaging.
    """

    feature: Tensor
    rotations: Tensor
    betas: Tensor
    mirrored: PersonFeature | None = None

    @property
    def mirror_image(self) -> PersonFeature:
        """Of the mirrored crop.

        Raises:
            ValueError: it was not encoded.
        """
        if self.mirrored is None:
            raise ValueError("flip averaging needs the mirrored crop; encode with flip=True")
        return self.mirrored
