"""Body poses as short vectors: VPoser from a user's file, or plain rotation vectors without one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from torch import Tensor, nn
from torch.nn import functional

from humor_ros.geometry.rotation import (
    axis_angle_to_matrix,
    matrix_to_axis_angle,
    rotation_6d_to_matrix,
)
from humor_ros.humor.rotations import rotation_vector
from humor_ros.humor.state import NUM_JOINTS
from humor_ros.weight_files import CheckpointError, read_tensors

__all__ = ["PosePrior", "RotationVectorPose", "VPoser"]

_BODY_JOINTS = NUM_JOINTS - 1
_SLOPE = 0.2
_PREFIX = "bodyprior_"


class PosePrior(Protocol):
    """A vector space of body poses in which a standard normal is a fair prior."""

    @property
    def latent_size(self) -> int:
        """Numbers in a latent, L."""

    def decode(self, latent: Tensor) -> Tensor:
        """(..., 21, 3, 3) rotations of the body's joints of latents (..., L)."""

    def encode(self, pose_body: Tensor) -> Tensor:
        """(..., L) latents of rotations (..., 21, 3, 3)."""


class RotationVectorPose:
    """The stated substitute for VPoser: the latent is the pose's 63 rotation-vector numbers.

    They are divided by ``scale``, so that the squared length of the latent pulls every joint
    towards the T-pose as a normal prior of that standard deviation does. It knows nothing of
    which joints go together; the motion prior of the last stage does.
    """

    def __init__(self, scale: float = 0.4) -> None:
        """Make the space.

        Args:
            scale: standard deviation of a rotation-vector number, rad.

        Raises:
            ValueError: ``scale`` is not positive.
        """
        if not scale > 0:
            raise ValueError(f"scale must be positive, got {scale}")
        self.scale = scale

    @property
    def latent_size(self) -> int:
        """63."""
        return 3 * _BODY_JOINTS

    def decode(self, latent: Tensor) -> Tensor:
        """(..., 21, 3, 3) rotations of latents (..., 63)."""
        return axis_angle_to_matrix(self.scale * latent.unflatten(-1, (_BODY_JOINTS, 3)))

    def encode(self, pose_body: Tensor) -> Tensor:
        """(..., 63) latents of rotations (..., 21, 3, 3)."""
        return matrix_to_axis_angle(pose_body).flatten(start_dim=-2) / self.scale


class VPoser(nn.Module):
    """VPoser v1.0 (Pavlakos et al., "Expressive Body Capture", CVPR 2019): 32 numbers a pose.

    Parameter names are those of the published checkpoint.
    """

    def __init__(self, latent_size: int = 32, width: int = 512) -> None:
        super().__init__()
        pose = 3 * _BODY_JOINTS
        self.bodyprior_enc_bn1 = nn.BatchNorm1d(pose)
        self.bodyprior_enc_fc1 = nn.Linear(pose, width)
        self.bodyprior_enc_bn2 = nn.BatchNorm1d(width)
        self.bodyprior_enc_fc2 = nn.Linear(width, width)
        self.bodyprior_enc_mu = nn.Linear(width, latent_size)
        self.bodyprior_enc_logvar = nn.Linear(width, latent_size)
        self.bodyprior_dec_fc1 = nn.Linear(latent_size, width)
        self.bodyprior_dec_fc2 = nn.Linear(width, width)
        self.bodyprior_dec_out = nn.Linear(width, 6 * _BODY_JOINTS)

    @classmethod
    def load(cls, path: str | Path) -> VPoser:
        """Read a user's VPoser v1.0 weights, frozen, in evaluation mode, float32.

        Args:
            path: file of named tensors (``snapshots/*.pt``); tensors of other names (the
                published file's joint regressor) are ignored.

        Raises:
            FileNotFoundError: there is no such file.
            CheckpointError: it is not VPoser v1.0.
        """
        tensors = read_tensors(path, "VPoser weights")
        if not isinstance(tensors, Mapping):
            raise CheckpointError(f"{path} holds no named tensors; give VPoser v1.0's .pt file")
        plain = {str(name).removeprefix("module."): value for name, value in tensors.items()}
        weights = {name: value for name, value in plain.items() if name.startswith(_PREFIX)}
        try:
            width, latent = weights["bodyprior_dec_fc1.weight"].shape
            prior = cls(latent_size=latent, width=width)
            prior.load_state_dict(weights, strict=True)
        except (KeyError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise CheckpointError(
                f"{path} is not VPoser v1.0 ({reason}); version 2 has other tensors"
            ) from error
        return prior.requires_grad_(False).eval()

    @property
    def latent_size(self) -> int:
        """Numbers in a latent: 32 as published."""
        return self.bodyprior_enc_mu.out_features

    def decode(self, latent: Tensor) -> Tensor:
        """(..., 21, 3, 3) rotations of latents (..., 32)."""
        hidden = functional.leaky_relu(self.bodyprior_dec_fc1(latent), _SLOPE)
        hidden = functional.leaky_relu(self.bodyprior_dec_fc2(hidden), _SLOPE)
        out = self.bodyprior_dec_out(hidden).unflatten(-1, (_BODY_JOINTS, 3, 2))
        # The 6 numbers are the first two columns; the common function takes rows.
        rows = out.transpose(-1, -2).flatten(start_dim=-2)
        return rotation_6d_to_matrix(rows).transpose(-1, -2)

    def encode(self, pose_body: Tensor) -> Tensor:
        """(..., 32) mean latents of rotations (..., 21, 3, 3)."""
        vectors = rotation_vector(pose_body).flatten(start_dim=-2)
        flat = self.bodyprior_enc_bn1(vectors.reshape(-1, vectors.shape[-1]))
        hidden = functional.leaky_relu(self.bodyprior_enc_fc1(flat), _SLOPE)
        hidden = functional.leaky_relu(
            self.bodyprior_enc_fc2(self.bodyprior_enc_bn2(hidden)), _SLOPE
        )
        return self.bodyprior_enc_mu(hidden).reshape(*vectors.shape[:-1], -1)
