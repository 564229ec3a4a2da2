"""What the fit varies, and what it observes, as values."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeVar

import torch
from torch import Tensor

__all__ = ["FitObservations", "MotionVariables", "PoseVariables"]

_Value = TypeVar("_Value", "PoseVariables", "MotionVariables", "FitObservations")


def _tensors(value: Any) -> dict[str, Tensor]:
    entries = {entry.name: getattr(value, entry.name) for entry in fields(value)}
    return {name: tensor for name, tensor in entries.items() if tensor is not None}


def _to(value: _Value, dtype: torch.dtype) -> _Value:
    tensors = _tensors(value).items()
    return type(value)(**{k: t.to(dtype) if t.is_floating_point() else t for k, t in tensors})


@dataclass(frozen=True, eq=False)
class PoseVariables:
    """Variables of stages 1 and 2 for B sequences of T frames.

    Attributes:
        trans: (B, T, 3) metres, frame of the observations.
        root_orient: (B, T, 3) rotation vectors of the root, rad, same frame.
        latent_pose: (B, T, L) body poses in the pose prior's space.
        betas: (B, num_betas) shape.
    """

    trans: Tensor
    root_orient: Tensor
    latent_pose: Tensor
    betas: Tensor

    def tensors(self) -> dict[str, Tensor]:
        """The tensors by name."""
        return _tensors(self)


@dataclass(frozen=True, eq=False)
class MotionVariables:
    """Variables of stage 3: an initial state and what follows from it.

    Attributes:
        trans: (B, 1, 3) of the first frame, metres, frame of the observations.
        root_orient: (B, 1, 3) rotation vector of the first frame's root, rad, same frame.
        latent_pose: (B, 1, L) first body pose.
        betas: (B, num_betas) shape.
        latent_motion: (B, T - 1, latent) transitions z.
        trans_vel: (B, 1, 3) m/s, world of the prior, as the following two.
        joints_vel: (B, 1, 22, 3) m/s.
        root_orient_vel: (B, 1, 3) rad/s.
        floor_plane: (B, 3) the ground's nearest point to the camera (see ``ground``); None where
            the observations' frame is the prior's world.
    """

    trans: Tensor
    root_orient: Tensor
    latent_pose: Tensor
    betas: Tensor
    latent_motion: Tensor
    trans_vel: Tensor
    joints_vel: Tensor
    root_orient_vel: Tensor
    floor_plane: Tensor | None = None

    def tensors(self) -> dict[str, Tensor]:
        """The tensors by name, without the ground where there is none."""
        return _tensors(self)


@dataclass(frozen=True, eq=False)
class FitObservations:
    """Measurements of B sequences of T frames; what is None is not observed.

    Points that are not finite are missing. With ``floor_plane`` the frame is a camera's (x right,
    y down, z forward), otherwise a world with its ground at z = 0.

    Attributes:
        joints2d: (B, T, 25, 3) OpenPose key-points: pixels without distortion, confidence.
        camera_matrix: (B, 3, 3) pinhole; needed by ``joints2d``.
        joints3d: (B, T, 22, 3) metres.
        verts3d: (B, T, 43, 3) places of ``KEYPOINT_VERTICES``, metres.
        points3d: (B, T, P, 3) points of a depth camera on the body, metres.
        floor_plane: (B, 4) ground, normal and offset.
        seq_interval: (B, 2) first frame and frame after the last of each window within one
            recording; couples windows that overlap.
    """

    joints2d: Tensor | None = None
    camera_matrix: Tensor | None = None
    joints3d: Tensor | None = None
    verts3d: Tensor | None = None
    points3d: Tensor | None = None
    floor_plane: Tensor | None = None
    seq_interval: Tensor | None = None

    def __post_init__(self) -> None:
        self._check_shapes()
        if self.joints2d is not None and self.camera_matrix is None:
            raise ValueError("joints2d needs camera_matrix")
        if self.joints2d is not None and self.floor_plane is None:
            raise ValueError("joints2d needs floor_plane: a first guess of the ground, (B, 4)")

    @property
    def size(self) -> tuple[int, int]:
        """B and T."""
        for name in ("joints2d", "joints3d", "verts3d", "points3d"):
            tensor = getattr(self, name)
            if tensor is not None:
                return int(tensor.shape[0]), int(tensor.shape[1])
        raise ValueError("nothing is observed: give joints2d, joints3d, verts3d or points3d")

    def frames(self, count: int) -> FitObservations:
        """The first ``count`` frames."""
        timed = ("joints2d", "joints3d", "verts3d", "points3d")
        return FitObservations(
            **{k: t[:, :count] if k in timed else t for k, t in _tensors(self).items()}
        )

    def to(self, dtype: torch.dtype) -> FitObservations:
        """The same in another floating-point type."""
        return _to(self, dtype)

    def _check_shapes(self) -> None:
        batch, frames = self.size
        expected: dict[str, tuple[int | None, ...]] = {
            "joints2d": (batch, frames, 25, 3),
            "camera_matrix": (batch, 3, 3),
            "joints3d": (batch, frames, 22, 3),
            "verts3d": (batch, frames, 43, 3),
            "points3d": (batch, frames, None, 3),
            "floor_plane": (batch, 4),
            "seq_interval": (batch, 2),
        }
        for name, tensor in _tensors(self).items():
            shape = expected[name]
            if len(shape) != tensor.dim() or any(
                size is not None and size != found
                for size, found in zip(shape, tensor.shape, strict=True)
            ):
                raise ValueError(f"{name} must have shape {shape}, got {tuple(tensor.shape)}")
