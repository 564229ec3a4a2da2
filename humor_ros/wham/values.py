"""What goes into WHAM's network and what comes out, as values with shapes, frames and units."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Protocol

import torch
from torch import Tensor

__all__ = ["Body", "BodyPoints", "Feedback", "MotionPrediction", "WhamInputs", "WhamOutputs"]


class BodyPoints(Protocol):
    """The points of posed bodies that WHAM needs, metres, with the root joint at rest place."""

    @property
    def joints(self) -> Tensor:
        """(N, 24, 3) SMPL joints."""

    @property
    def keypoints31(self) -> Tensor:
        """(N, 31, 3) COCO-17 and the 14 common joints."""

    @property
    def feet(self) -> Tensor:
        """(N, 4, 3) left toe, left heel, right toe, right heel."""

    @property
    def vertices(self) -> Tensor | None:
        """(N, V, 3) surface, where it was asked for."""


class Body(Protocol):
    """A body model: ``humor_ros.body.BodyModel`` is one. It holds no part of the network."""

    def __call__(self, betas: Tensor, rotations: Tensor, *, vertices: bool = False) -> BodyPoints:
        """Pose N bodies of betas (N, 10) with local rotations (N, 24, 3, 3)."""


@dataclass(frozen=True)
class WhamInputs:
    """Measurements of P people over T >= 1 frames; the tensors are never written to.

    Attributes:
        x: (P, T, 37) normalised key-points and place of the box (``keypoints.normalise``).
        mask: (P, T, 17) bool, true where a key-point is NOT seen.
        cam_angvel: (P, T, 6) camera rotation from the previous frame to this one, in the
            network's form (``keypoints.camera_angular_velocity_input``), per second.
        img_features: (P, T, d_feat) image features, or None to leave the integrator out.
        feature_mask: (P, T) bool, true where ``img_features`` holds a feature; elsewhere the
            integrator is left out for that frame. None means everywhere.
        bbox: (P, T, 3) box centre x, y (pixels) and side / 200; for the camera translation.
        res: (P, 2) image width and height, pixels.
        cam_intrinsics: (P, 1 or T, 3, 3) pinhole matrix.
        gravity: (P, T, 3) unit vector of the direction down in camera axes, zeros where it is
            unknown; None means unknown everywhere. Read by networks with ``gravity_input``.
        motion: (P, T, 17, 2) velocity of the key-points, of ``keypoint_motion``; None means
            zeros. Read by networks with ``motion_input``.
    """

    x: Tensor
    mask: Tensor
    cam_angvel: Tensor
    img_features: Tensor | None = None
    feature_mask: Tensor | None = None
    bbox: Tensor | None = None
    res: Tensor | None = None
    cam_intrinsics: Tensor | None = None
    gravity: Tensor | None = None
    motion: Tensor | None = None

    @property
    def n_people(self) -> int:
        """Number of people P."""
        return int(self.x.shape[0])

    @property
    def n_frames(self) -> int:
        """Number of frames T."""
        return int(self.x.shape[1])

    def frames(self, start: int, stop: int) -> WhamInputs:
        """The inputs of frames ``start`` to ``stop`` (exclusive)."""
        values: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            timed = value is not None and field.name != "res"
            if timed and field.name == "cam_intrinsics" and value.shape[1] == 1:
                timed = False
            values[field.name] = value[:, start:stop] if timed else value
        return WhamInputs(**values)

    def people(self, index: Tensor | list[int]) -> WhamInputs:
        """The inputs of the people at these indices."""
        index = torch.as_tensor(index, device=self.x.device)
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        for name, value in values.items():
            values[name] = None if value is None else value[index]
        return WhamInputs(**values)


@dataclass(frozen=True)
class Feedback:
    """Previous outputs supplied from outside, so that the LSTMs run in parallel over time.

    Entry t is what frame t receives in place of the network's own output at t - 1
    (:meth:`from_targets` shifts a sequence so). None leaves a module autoregressive.

    Attributes:
        kp3d: (P, T, 51) for the motion encoder, metres, mid-hip centred, camera axes.
        root: (P, T, 6) for the trajectory decoder, world root orientation, 6D.
        pose: (P, T, 144) for the motion decoder, camera-frame pose, 6D.
    """

    kp3d: Tensor | None = None
    root: Tensor | None = None
    pose: Tensor | None = None

    @classmethod
    def from_targets(
        cls,
        kp3d: tuple[Tensor, Tensor] | None = None,
        root: tuple[Tensor, Tensor] | None = None,
        pose: tuple[Tensor, Tensor] | None = None,
    ) -> Feedback:
        """Teacher forcing from (initial value, target sequence (P, T, ...)) pairs.

        The initial value stands at frame 0 and the target of t - 1 at frame t; trailing
        axes are flattened.
        """

        def shift(pair: tuple[Tensor, Tensor] | None) -> Tensor | None:
            if pair is None:
                return None
            first, sequence = pair
            sequence = sequence.flatten(2)
            first = first.reshape(sequence.shape[0], 1, sequence.shape[2])
            return torch.cat((first, sequence[:, :-1]), dim=1)

        return cls(shift(kp3d), shift(root), shift(pose))


@dataclass(frozen=True)
class MotionPrediction:
    """What the learned modules say before the contact-aware refinement.

    Attributes:
        kp3d: (P, T, 17, 3) COCO key-points, mid-hip centred, camera axes, metres.
        context: (P, T, d_context) encoder state and key-points.
        context_integrated: (P, T, d_context) after the image features; ``context`` without.
        root: (P, T, 6) world root orientation, raw 6D.
        root_previous: (P, T, 6) the same one frame earlier (first: the state's).
        velocity: (P, T, 3) root displacement from the previous frame, in the root frame of
            the previous frame, metres a frame at 30 frames a second.
        pose: (P, T, 24, 6) joint rotations, root first and in the camera frame, raw 6D.
        betas: (P, T, 10) body shape.
        cam: (P, T, 3) weak-perspective camera of the box: scale, x, y.
        contacts: (P, T, 4) contact of left toe, left heel, right toe, right heel; trained
            towards 0 and 1 without a squashing function.
    """

    kp3d: Tensor
    context: Tensor
    context_integrated: Tensor
    root: Tensor
    root_previous: Tensor
    velocity: Tensor
    pose: Tensor
    betas: Tensor
    cam: Tensor
    contacts: Tensor


@dataclass(frozen=True)
class WhamOutputs:
    """A prediction with its body and its refined place in the (y-down) world.

    Attributes:
        motion: the prediction that all of this follows from.
        rotations: (P, T, 24, 3, 3) local rotations, root first and in the camera frame.
        joints: (P, T, 24, 3) SMPL joints, mid-hip centred, camera axes, metres.
        keypoints31: (P, T, 31, 3) key-points of the body, mid-hip centred, camera axes.
        feet: (P, T, 4, 3) toes and heels, mid-hip centred, camera axes.
        vertices: (P, T, V, 3) the same for the surface, where asked for.
        offset: (P, T, 3) mid-hip in the body model's own frame; add it back to a centred
            point to have the point as the model gives it.
        velocity_reset: (P, T, 3) velocity after standing feet were held still.
        root_refined: (P, T, 6) refined world root orientation, raw 6D.
        root_refined_previous: (P, T, 6) the same one frame earlier.
        velocity_refined: (P, T, 3) refined root-frame velocity, metres a frame.
        rotation_world_root: (P, T, 3, 3) refined root orientation.
        translation_world: (P, T, 3) float64, rolled-out position of mid-hip, metres.
        feet_world_unrefined: (P, T, 4, 3) float64, feet in the world before the refinement,
            metres. World positions are float64 because they grow without bound.
        translation_camera: (P, T, 3) mid-hip in the camera, metres; None without boxes.
    """

    motion: MotionPrediction
    rotations: Tensor
    joints: Tensor
    keypoints31: Tensor
    feet: Tensor
    vertices: Tensor | None
    offset: Tensor
    velocity_reset: Tensor
    root_refined: Tensor
    root_refined_previous: Tensor
    velocity_refined: Tensor
    rotation_world_root: Tensor
    translation_world: Tensor
    feet_world_unrefined: Tensor
    translation_camera: Tensor | None
