"""Training batches: motion seen by virtual cameras through a simulated detector.

Everything that the network is given, and everything that it should answer, for B windows of T
frames. The first of the T + 1 frames that are drawn is the frame of the initialisation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.body.model import BodyModel
from humor_ros.geometry.rotation import axis_angle_to_matrix, matrix_to_rotation_6d
from humor_ros.training.augmentation import MotionBatch, sample_motion
from humor_ros.training.keypoint_definition import definition_offsets
from humor_ros.training.keypoint_noise import (
    joint_visibility,
    keypoint_errors,
    smoothed_boxes,
    swap_sides,
)
from humor_ros.training.mocap import MocapLibrary
from humor_ros.training.synthesis_config import CameraConfig, DataConfig, NoiseConfig
from humor_ros.training.virtual_camera import CameraBatch, place_cameras, project
from humor_ros.wham.contacts import contact_labels
from humor_ros.wham.initialisation import initial_keypoints, neutral_rotations
from humor_ros.wham.keypoint_motion import keypoint_motion
from humor_ros.wham.keypoints import normalise_keypoints

__all__ = ["TrainingBatch", "WindowSource"]

_OUTSIDE_MARGIN = 0.02


@dataclass(frozen=True)
class TrainingBatch:
    """B windows of T frames; positions metres, y-down world, mid-hip centred where relative.

    Attributes:
        x: (B, T, 37) network input.
        mask: (B, T, 17) True where a key-point is unseen.
        cam_angvel: (B, T, 6) camera motion from the previous frame to this one.
        init_kp: (B, 1, 88); init_smpl: (B, 1, 24, 6); init_root: (B, 1, 6).
        bbox: (B, T, 3) centre px, side / 200.
        image_size: (B, 2) W, H px.
        focal: (B,) px.
        root_feedback: (B, T, 6) true world root of the previous frame with noise.
        rotations: (B, T, 24, 3, 3) joint rotations, the root's in the camera.
        betas: (B, 10).
        keypoints31: (B, T, 31, 3), joints: (B, T, 24, 3), feet: (B, T, 4, 3) camera axes,
            relative to the mid-hip.
        translation: (B, T, 3) mid-hip in the camera frame.
        root_world: (B, T + 1, 3, 3) root orientation in the world, with the frame before.
        root_velocity: (B, T, 3) displacement of the mid-hip from the frame before, in the root
            frame of the frame before.
        contact: (B, T, 4) contact probability of left toe, left heel, right toe, right heel.
        rotation_camera_world: (B, T + 1, 3, 3).
        gravity: (B, T, 3) direction down in camera axes as an IMU tells it, or zeros.
        motion: (B, T, 17, 2) of the key-points since the previous frame, see ``WhamInputs``.
        physical: (B,) false where the motion was changed so that feet and way do not agree.
    """

    x: Tensor
    mask: Tensor
    cam_angvel: Tensor
    init_kp: Tensor
    init_smpl: Tensor
    init_root: Tensor
    bbox: Tensor
    image_size: Tensor
    focal: Tensor
    root_feedback: Tensor
    rotations: Tensor
    betas: Tensor
    keypoints31: Tensor
    joints: Tensor
    feet: Tensor
    translation: Tensor
    root_world: Tensor
    root_velocity: Tensor
    contact: Tensor
    rotation_camera_world: Tensor
    gravity: Tensor
    motion: Tensor
    physical: Tensor


class WindowSource:
    """Makes training batches from a motion library, reproducibly from a generator.

    Args:
        library: clips of one split.
        body: body model whose shape space is sampled.
        data, camera, noise: how to draw.
        augment: False leaves the motion as recorded (for validation).
    """

    def __init__(
        self,
        library: MocapLibrary,
        body: BodyModel,
        data: DataConfig,
        camera: CameraConfig,
        noise: NoiseConfig,
        *,
        augment: bool = True,
    ) -> None:
        self.library = library
        self.body = body
        self.data = data
        self.camera = camera
        self.noise = noise
        self.augment = augment
        self._weights = library.clip_weights(data)

    @torch.no_grad()
    def batch(self, size: int, generator: torch.Generator) -> TrainingBatch:
        """Draw ``size`` windows; the same state of the generator gives the same batch."""
        motion = sample_motion(
            self.library, self._weights, self.data, size, generator, augment=self.augment
        )
        return self.render(motion, generator)

    @torch.no_grad()
    def render(self, motion: MotionBatch, generator: torch.Generator) -> TrainingBatch:
        """Look at given motion (B, T + 1 frames) with new cameras and a new detector."""
        world = _pose_body(self.body, motion.rotations, motion.betas)
        scale = _leg_ratio(self.body, motion.betas)
        hips = motion.root_position * scale[:, None, None] + world.hips_from_pelvis
        camera = place_cameras(hips, self.camera, generator)
        turn = camera.rotation_camera_world
        keypoints31 = world.keypoints31 @ turn.mT
        root_camera = turn @ motion.rotations[:, :, 0]
        rotations = torch.cat([root_camera[:, :, None], motion.rotations[:, :, 1:]], 2)
        meant = keypoints31[:, :, :17]
        if self.noise.definition_strength > 0:
            offsets = definition_offsets(rotations, self.noise.definition_strength, generator)
            meant = meant + offsets
        pixels, mask = self._detect(meant, camera, generator)
        bbox = self._boxes(pixels, mask, generator)
        x = normalise_keypoints(pixels, bbox, camera.image_size)
        step = hips[:, 1:] - hips[:, :-1]
        root_world = motion.rotations[:, :, 0]
        velocity = (root_world[:, :-1].mT @ step[..., None])[..., 0]
        init_kp, init_smpl = self._initialise(
            x[:, 0], mask[:, 0], rotations[:, 0], motion.betas, generator
        )
        init_root = _turned(root_world[:, :1], self.noise.init_root_rad, generator)
        return TrainingBatch(
            x=x[:, 1:],
            mask=mask[:, 1:],
            cam_angvel=camera.angular_velocity,
            init_kp=init_kp,
            init_smpl=init_smpl,
            init_root=matrix_to_rotation_6d(init_root),
            bbox=bbox[:, 1:],
            image_size=camera.image_size,
            focal=camera.focal,
            root_feedback=self._feedback(root_world[:, :-1], init_root, generator),
            rotations=rotations[:, 1:],
            betas=motion.betas,
            keypoints31=keypoints31[:, 1:],
            joints=(world.joints @ turn.mT)[:, 1:],
            feet=(world.feet @ turn.mT)[:, 1:],
            translation=camera.translation[:, 1:],
            root_world=root_world,
            root_velocity=velocity,
            contact=contact_labels(world.feet + hips[:, :, None], one_sided_ends=True)[:, 1:],
            rotation_camera_world=turn,
            gravity=self._gravity(turn[:, 1:], generator),
            motion=_motion_of(pixels, mask, bbox, camera),
            physical=motion.physical,
        )

    def _gravity(self, rotation_camera_world: Tensor, generator: torch.Generator) -> Tensor:
        """Down in camera axes with a tilt error that stays over the window; zeros if unknown."""
        batch = len(rotation_camera_world)
        down = rotation_camera_world[..., :, 1]
        error = self.noise.gravity_tilt_rad * torch.randn(batch, 1, 3, generator=generator)
        down = (axis_angle_to_matrix(error) @ down[..., None])[..., 0]
        known = torch.rand(batch, generator=generator) >= self.noise.gravity_unknown_probability
        return down * known[:, None, None]

    def _detect(
        self, keypoints: Tensor, camera: CameraBatch, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Noisy pixels (B, T, 17, 2) and mask (B, T, 17) of true camera-axes key-points."""
        batch, frames = keypoints.shape[:2]
        points = keypoints + camera.translation[:, :, None]
        pixels = project(points, camera.focal, camera.image_size)
        half = (pixels.amax(-2) - pixels.amin(-2)).amax(-1)[..., None, None] / 2
        limit = camera.image_size.amax(-1)[:, None, None, None]
        half = torch.minimum(half, limit)
        depth = keypoints[..., 2] - keypoints[..., 11:13, 2].mean(-1, keepdim=True)
        pixels = pixels + half * keypoint_errors(depth, self.noise, generator)
        mask = joint_visibility(batch, frames, self.noise, generator)
        margin = _OUTSIDE_MARGIN * limit
        size = camera.image_size[:, None, None]
        outside = ((pixels < -margin) | (pixels > size + margin)).any(-1)
        behind = points[..., 2] < 0.2
        # Some detectors put what they cannot see on the border and are sure of it.
        clamps = torch.rand(batch, generator=generator) < 0.1
        clamped = torch.minimum(pixels.clamp_min(0.0), size)
        pixels = torch.where(clamps[:, None, None, None], clamped, pixels)
        sure = clamps[:, None, None] & (torch.rand(batch, 1, 17, generator=generator) < 0.5)
        mask = mask | behind | (outside & ~sure)
        pixels = swap_sides(pixels, self.noise, generator)
        return pixels, mask

    def _boxes(self, pixels: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        batch = len(pixels)
        low, high = self.noise.box_scale_range
        scale = low * (high / low) ** torch.rand(batch, generator=generator)
        shift = (2 * torch.rand(batch, 2, generator=generator) - 1) * self.noise.box_shift
        smoothing = torch.rand(batch, generator=generator) * self.noise.box_smoothing_max
        # Half of the boxes follow without smoothing, as a stream's first version would.
        smoothing = smoothing * (torch.rand(batch, generator=generator) < 0.6)
        return smoothed_boxes(pixels, mask, scale, shift, smoothing)

    def _initialise(
        self,
        x: Tensor,
        mask: Tensor,
        rotations: Tensor,
        betas: Tensor,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        batch = len(x)
        image = torch.rand(batch, generator=generator) < self.noise.init_image_probability
        near = _turned(rotations, self.noise.init_rotation_rad, generator)
        neutral = neutral_rotations(batch)
        start = torch.where(image[:, None, None, None], near, neutral)
        shape = torch.where(image[:, None], betas, torch.zeros_like(betas))
        keypoints = self.body(shape, start).keypoints31[:, :17]
        return initial_keypoints(keypoints, x, mask), matrix_to_rotation_6d(start)[:, None]

    def _feedback(
        self, root_before: Tensor, init_root: Tensor, generator: torch.Generator
    ) -> Tensor:
        batch, frames = root_before.shape[:2]
        walk = torch.randn(batch, frames, 3, generator=generator).cumsum(1)
        white = torch.randn(batch, frames, 3, generator=generator)
        error = self.noise.root_feedback_walk_rad * walk + self.noise.root_feedback_rad * white
        feedback = axis_angle_to_matrix(error) @ root_before
        feedback = torch.cat([init_root, feedback[:, 1:]], 1)
        return matrix_to_rotation_6d(feedback)


def _motion_of(pixels: Tensor, mask: Tensor, bbox: Tensor, camera: CameraBatch) -> Tensor:
    batch, frames = pixels.shape[0], pixels.shape[1] - 1
    return keypoint_motion(
        pixels[:, 1:],
        pixels[:, :-1],
        ~(mask[:, 1:] | mask[:, :-1]),
        camera.rotation_previous_current,
        camera.focal[:, None].expand(batch, frames),
        camera.image_size[:, None].expand(batch, frames, 2),
        bbox[:, 1:],
    )


@dataclass(frozen=True)
class _PosedBody:
    joints: Tensor
    keypoints31: Tensor
    feet: Tensor
    hips_from_pelvis: Tensor


def _pose_body(body: BodyModel, rotations: Tensor, betas: Tensor) -> _PosedBody:
    batch, frames = rotations.shape[:2]
    output = body(
        betas[:, None].expand(batch, frames, 10).reshape(-1, 10),
        rotations.reshape(-1, 24, 3, 3),
    )
    hips = output.keypoints31[:, 11:13].mean(1, keepdim=True)

    def relative(points: Tensor) -> Tensor:
        return (points - hips).reshape(batch, frames, -1, 3)

    return _PosedBody(
        joints=relative(output.joints),
        keypoints31=relative(output.keypoints31),
        feet=relative(output.feet),
        hips_from_pelvis=(hips - output.joints[:, :1]).reshape(batch, frames, 3),
    )


def _leg_ratio(body: BodyModel, betas: Tensor) -> Tensor:
    """Leg length over that of the default shape: how far the same step carries, (B,)."""
    shapes = torch.cat([torch.zeros_like(betas[:1]), betas])
    identity = torch.eye(3).expand(len(shapes), 24, 3, 3)
    joints = body(shapes, identity).joints
    legs = (joints[:, 1:7] - joints[:, 4:10]).norm(dim=-1)[:, [0, 1, 3, 4]].sum(-1)
    return legs[1:] / legs[0]


def _turned(rotations: Tensor, std_rad: float, generator: torch.Generator) -> Tensor:
    vector = std_rad * torch.randn(*rotations.shape[:-1], generator=generator)
    return axis_angle_to_matrix(vector) @ rotations
