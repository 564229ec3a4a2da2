"""Clips of motion capture seen by virtual cameras, as in the published first stage."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from humor_ros.body.model import BodyModel
from humor_ros.geometry.rotation import (
    axis_angle_to_matrix,
    matrix_to_rotation_6d,
    rotation_6d_to_matrix,
)
from humor_ros.training.amass import BodyMotions
from humor_ros.training.augmentation import heading_matrix
from humor_ros.training.published_batch import PublishedBatch, centred_intrinsics
from humor_ros.training.published_camera import published_cameras
from humor_ros.training.published_config import PublishedConfig
from humor_ros.training.published_noise import (
    box_around,
    noisy_points,
    shaken_boxes,
    smooth_boxes,
    unseen_joints,
)
from humor_ros.training.virtual_camera import project
from humor_ros.wham.camera_input import camera_angular_velocity
from humor_ros.wham.contacts import contact_labels
from humor_ros.wham.initialisation import start_from_pose
from humor_ros.wham.keypoints import normalise_keypoints

__all__ = ["MocapSource"]

_log = logging.getLogger(__name__)
_TREADMILL = "treadmill"
_N_POINTS = 31


@dataclass(frozen=True)
class _Motion:
    """Resampled motion: rotations (B, T, 24, 3, 3), root (B, T, 3), betas (B, 10), clip (B,)."""

    rotations: Tensor
    root: Tensor
    betas: Tensor
    clip: Tensor


class MocapSource:
    """Makes clips from motion capture; the same state of the generator gives the same clips.

    Args:
        motions: of one split.
        body: neutral body model.
        config: of the run.

    Raises:
        ValueError: no motion is long enough for a window.
    """

    def __init__(self, motions: BodyMotions, body: BodyModel, config: PublishedConfig) -> None:
        self.motions = motions
        self.body = body
        self.config = config
        frames = config.data.clip_frames
        self._shortest = int(frames / config.data.speed_factor)
        self._longest = int(frames * config.data.speed_factor) + 1
        library = motions.library
        room = library.length - self._longest
        starts = [
            torch.arange(0, int(left) + 1, config.data.window_stride) for left in room.clamp_min(-1)
        ]
        counts = torch.tensor([len(start) for start in starts])
        if not int(counts.sum()):
            raise ValueError(
                f"none of the {library.n_clips} motions has {self._longest} frames; give longer "
                "ones or a smaller data.clip_frames"
            )
        short = int((counts == 0).sum())
        if short:
            _log.info("%d motions of less than %d frames are left out", short, self._longest)
        self._clip = torch.repeat_interleave(torch.arange(library.n_clips), counts)
        self._start = torch.cat(starts)
        self._treadmill = torch.tensor([_TREADMILL in name.lower() for name in library.names])

    @property
    def windows(self) -> int:
        """Number of windows of an epoch."""
        return max(1, int(len(self._clip) * self.config.data.epoch_share))

    @torch.no_grad()
    def batch(self, size: int, generator: torch.Generator) -> PublishedBatch:
        """Draw clips."""
        motion = self._draw(size, generator)
        return self._render(motion, generator)

    def _draw(self, size: int, generator: torch.Generator) -> _Motion:
        library, data = self.motions.library, self.config.data
        frames = data.clip_frames + 1
        index = torch.randint(len(self._clip), (size,), generator=generator)
        clip = self._clip[index]
        span = torch.randint(self._shortest, self._longest + 1, (size,), generator=generator)
        time = torch.arange(frames) / (frames - 1) * (span - 1)[:, None]
        low = time.floor().long().minimum((span - 2)[:, None]).clamp_min(0)
        blend = time - low
        first = (library.start[clip] + self._start[index])[:, None] + low
        rotations = torch.lerp(
            library.rotations_6d[first], library.rotations_6d[first + 1], blend[..., None, None]
        )
        root = torch.lerp(
            library.root_position[first], library.root_position[first + 1], blend[..., None]
        )
        matrices = rotation_6d_to_matrix(rotations)
        heading = heading_matrix(torch.rand(size, generator=generator) * (2 * torch.pi))
        matrices[:, :, 0] = heading[:, None] @ matrices[:, :, 0]
        root = (heading[:, None] @ root[..., None])[..., 0]
        betas = self.motions.betas[clip]
        betas = betas + data.betas_std * torch.randn(size, 10, generator=generator)
        return _Motion(matrices, root, betas, clip)

    def _render(self, motion: _Motion, generator: torch.Generator) -> PublishedBatch:
        data, noise, camera = self.config.data, self.config.noise, self.config.camera
        size, frames = motion.rotations.shape[:2]
        betas = motion.betas[:, None].expand(size, frames, 10)
        posed = self.body(betas.reshape(-1, 10), motion.rotations.flatten(0, 1))
        mid_hip = posed.mid_hip
        offset = (mid_hip - posed.joints[:, 0]).unflatten(0, (size, frames))
        sign = -1.0 if data.subtract_hip_offset else 1.0
        hips = motion.root + sign * offset
        hips = hips - hips[:, :1]
        cameras = published_cameras(hips, camera, generator)
        turn = cameras.rotation_camera_world
        points = (posed.keypoints31 - mid_hip[:, None]).unflatten(0, (size, frames)) @ turn.mT
        feet = (posed.feet - mid_hip[:, None]).unflatten(0, (size, frames))
        image_size = torch.tensor(camera.image_size, dtype=torch.float32).expand(size, 2)
        focal = torch.full((size,), camera.focal)
        place = cameras.position[:, :, None]
        seen = noisy_points(points[:, :, :17], noise, generator) + place
        pixels = project(seen, focal, image_size)
        bbox = shaken_boxes(box_around(pixels, noise.box_padding), noise, generator)
        bbox = smooth_boxes(bbox, noise.box_median_frames)
        x = normalise_keypoints(pixels, bbox, image_size)
        root_camera = turn @ motion.rotations[:, :, 0]
        pose = torch.cat((root_camera[:, :, None], motion.rotations[:, :, 1:]), 2)
        wobble = data.init_rotation_std_rad * torch.randn(size, 24, 3, generator=generator)
        start = start_from_pose(
            self.body,
            motion.betas,
            pose[:, 0] @ axis_angle_to_matrix(wobble),
            x[:, 0],
            turn[:, 0].mT,
        )
        root = motion.rotations[:, :, 0]
        step = hips[:, 1:] - hips[:, :-1]
        contact = contact_labels(feet + hips[:, :, None], one_sided_ends=True)
        contact = torch.where(self._treadmill[motion.clip][:, None, None], -1.0, contact)
        true_pixels = project(points + place, focal, image_size)
        known = torch.ones(size, dtype=torch.bool)
        n_features = self.config.network.d_feat if self.config.features else 0
        return PublishedBatch(
            x=x[:, 1:],
            mask=unseen_joints(size, frames - 1, noise, generator),
            cam_angvel=camera_angular_velocity(turn[:, :-1] @ turn[:, 1:].mT),
            gravity=turn[:, 1:, :, 1],
            img_features=x.new_zeros(size, frames - 1, n_features),
            bbox=bbox[:, 1:],
            image_size=image_size,
            intrinsics=centred_intrinsics(focal, image_size),
            init_kp=start.init_kp,
            init_smpl=start.init_smpl,
            init_root=matrix_to_rotation_6d(root[:, :1]),
            pose=matrix_to_rotation_6d(pose[:, 1:]),
            betas=betas[:, 1:],
            has_smpl=known,
            body_index=torch.zeros(size, dtype=torch.int64),
            has_vertices=known,
            keypoints3d=functional.pad(points[:, 1:], (0, 1), value=1.0),
            keypoints2d_full=functional.pad(true_pixels[:, 1:], (0, 1), value=1.0),
            keypoints2d_weak=x.new_zeros(size, frames - 1, _N_POINTS, 3),
            contact=contact[:, 1:],
            root=matrix_to_rotation_6d(root),
            has_root=known,
            velocity=(root[:, :-1].mT @ step[..., None])[..., 0],
            has_velocity=known,
            rotation_camera_world=turn,
            has_camera=known,
        )
