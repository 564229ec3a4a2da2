"""Clips of video sequences, as in the published second stage."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from humor_ros.body.model import BodyModel
from humor_ros.geometry.rotation import axis_angle_to_matrix, matrix_to_rotation_6d
from humor_ros.training.published_batch import PublishedBatch, centred_intrinsics
from humor_ros.training.published_config import PublishedConfig
from humor_ros.training.published_noise import shaken_boxes
from humor_ros.training.published_tracks import PublishedTrack, track_of
from humor_ros.training.sequence_file import read_sequence
from humor_ros.wham.camera_input import camera_angular_velocity
from humor_ros.wham.initialisation import neutral_rotations
from humor_ros.wham.keypoints import centre_on_hips, initial_input, normalise_keypoints

__all__ = ["SequenceSource", "load_tracks"]

_log = logging.getLogger(__name__)


def load_tracks(
    folder: Path,
    split: str,
    bodies: Mapping[str, BodyModel],
    body_kind: str,
    config: PublishedConfig,
) -> list[PublishedTrack]:
    """Read the sequences of one split below a folder, in the order of their paths.

    Args:
        folder: of one data set, holding ``.npz`` training sequences.
        split: "train" or "val"; sequences of other splits are left out.
        bodies: body models by gender; "neutral" is the network's.
        body_kind: "smpl" or "packaged": whose shape space these bodies have.
        config: of the run.

    Raises:
        FileNotFoundError: the folder has no sequence of that split.
        SequenceFileError: a file is no training sequence.
        ValueError: its features are of another length than the network's.
    """
    tracks = []
    for path in sorted(folder.rglob("*.npz")):
        sequence = read_sequence(path)
        if sequence.split != split:
            continue
        track = track_of(sequence, bodies, body_kind, config.data)
        width = track.features.shape[-1]
        if config.features and width not in (0, config.network.d_feat):
            raise ValueError(
                f"{path} has features of length {width}, the network takes "
                f"{config.network.d_feat}; set network.d_feat, or extract them again"
            )
        tracks.append(track)
    if not tracks:
        raise FileNotFoundError(
            f"no training sequences of the split {split!r} in {folder}; convert the data set, or "
            "set its share in data.sources to 0"
        )
    return tracks


class SequenceSource:
    """Makes clips of one data set; the same state of the generator gives the same clips.

    Args:
        tracks: of one split.
        body: neutral body model; stands in where no initial pose is known.
        config: of the run.

    Raises:
        ValueError: no track is long enough for a clip.
    """

    def __init__(
        self, tracks: Sequence[PublishedTrack], body: BodyModel, config: PublishedConfig
    ) -> None:
        self.config = config
        self.body = body
        frames = config.data.clip_frames + 1
        starts = [track.starts(frames) for track in tracks]
        kept = [(t, s) for t, s in zip(tracks, starts, strict=True) if len(s)]
        if not kept:
            raise ValueError(f"none of {len(tracks)} sequences has {frames} frames without a gap")
        if len(kept) < len(tracks):
            _log.info("%d sequences are too short and left out", len(tracks) - len(kept))
        self._tracks = [track for track, _ in kept]
        self._starts = [start for _, start in kept]
        self._chance = torch.tensor([float(len(start)) for start in self._starts])

    @property
    def windows(self) -> int:
        """Number of windows of an epoch: as many as fit side by side."""
        return max(1, int(float(self._chance.sum()) / self.config.data.clip_frames))

    @torch.no_grad()
    def batch(self, size: int, generator: torch.Generator) -> PublishedBatch:
        """Draw clips."""
        return PublishedBatch.cat([self._clip(generator) for _ in range(size)])

    def _clip(self, generator: torch.Generator) -> PublishedBatch:
        index = int(torch.multinomial(self._chance, 1, generator=generator))
        track, starts = self._tracks[index], self._starts[index]
        first = int(starts[int(torch.randint(len(starts), (1,), generator=generator))])
        cut = slice(first, first + self.config.data.clip_frames + 1)
        return self._cut(track, cut, generator)

    def _cut(self, track: PublishedTrack, cut: slice, generator: torch.Generator) -> PublishedBatch:
        data, noise = self.config.data, self.config.noise
        bbox = track.boxes[None, cut]
        if not track.weak:
            bbox = shaken_boxes(bbox, noise, generator)
        keypoints = track.keypoints[None, cut]
        image_size = track.image_size[None]
        x = normalise_keypoints(keypoints, bbox, image_size)
        threshold = 0.0 if track.weak else data.mask_confidence
        # The published mask of crops is the data set's own flag, seen or not.
        mask = keypoints[..., 2] <= threshold if track.weak else keypoints[..., 2] < threshold
        x = x.nan_to_num()
        pose = track.pose[cut]
        world = track.rotation_world_camera[cut]
        root = world @ pose[:, 0]
        has_smpl = track.has_smpl[cut].all()
        has_root = has_smpl & track.has_camera[cut].all()
        has_trajectory = has_smpl & track.has_trajectory[cut].all()
        start, start_points = self._start(track, cut.start, generator)
        init_root = root[:1] if bool(has_root) else world[:1] @ start[:1]
        step = track.hips[cut][1:] - track.hips[cut][:-1]
        velocity = (root[:-1].mT @ step[..., None])[..., 0]
        pixels = track.pixels[None, cut][:, 1:]
        nothing = torch.zeros_like(pixels)
        weak = self._crop_units(pixels, bbox[:, 1:]) if track.weak else nothing
        return PublishedBatch(
            x=x[:, 1:],
            mask=mask[:, 1:],
            cam_angvel=camera_angular_velocity(track.turns[None, cut][:, 1:]),
            gravity=(world.mT[:, :, 1] * track.has_camera[cut][:, None])[None, 1:],
            img_features=self._features(track, cut)[None],
            bbox=bbox[:, 1:],
            image_size=image_size,
            intrinsics=centred_intrinsics(torch.tensor([track.focal]), image_size),
            init_kp=initial_input(start_points[None], x[:, :1]),
            init_smpl=matrix_to_rotation_6d(start)[None, None],
            init_root=matrix_to_rotation_6d(init_root)[None],
            pose=matrix_to_rotation_6d(pose[1:])[None],
            betas=track.betas[None, cut][:, 1:],
            has_smpl=has_smpl[None],
            body_index=torch.tensor([track.body_index]),
            has_vertices=(has_smpl & track.has_surface)[None],
            keypoints3d=track.points[None, cut][:, 1:],
            keypoints2d_full=nothing if track.weak else pixels,
            keypoints2d_weak=weak,
            contact=track.contact[None, cut][:, 1:],
            root=matrix_to_rotation_6d(root)[None],
            has_root=has_root[None],
            velocity=velocity[None],
            has_velocity=has_trajectory[None],
            rotation_camera_world=world.mT[None],
            has_camera=has_trajectory[None],
        )

    def _start(
        self, track: PublishedTrack, frame: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Initial rotations (24, 3, 3) and key-points (17, 3): measured, true, or neutral."""
        if bool(track.has_init[frame]):
            return track.init_pose[frame], centre_on_hips(track.init_kp3d[frame])
        rotations = neutral_rotations(1)
        betas = torch.zeros(1, 10)
        if bool(track.has_smpl[frame]):
            std = self.config.data.init_rotation_std_rad
            wobble = std * torch.randn(24, 3, generator=generator)
            rotations = (track.pose[frame] @ axis_angle_to_matrix(wobble))[None]
            betas = track.betas[frame : frame + 1] if track.has_surface else betas
        points = self.body(betas, rotations).keypoints31[0, :17]
        return rotations[0], centre_on_hips(points)

    def _features(self, track: PublishedTrack, cut: slice) -> Tensor:
        width = self.config.network.d_feat if self.config.features else 0
        features = track.features[cut][1:]
        if features.shape[-1] == width:
            return features
        return features.new_zeros(len(features), width)

    @staticmethod
    def _crop_units(pixels: Tensor, bbox: Tensor) -> Tensor:
        half = bbox[..., None, 2:] * 100.0
        places = (pixels[..., :2] - bbox[..., None, :2]) / half
        return torch.cat((places, pixels[..., 2:]), -1)
