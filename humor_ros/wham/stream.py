"""WHAM for several people online: tracks and camera motion in, motion in camera and world out.

The recurrent state of everybody is one :class:`~humor_ros.wham.state.WhamState`; people come
and go by indexing it. All world quantities that leave this module are in the z-up world; the
network's own world is y-down (spec of WHAM, section 0), and both differ by a constant rotation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from humor_ros.body import BodyModel
from humor_ros.geometry import ROTATION_FLU_OPTICAL, PinholeCamera, rotation_6d_to_matrix
from humor_ros.types import Array, CameraMotion, CameraMotionMode, Track, TrackingState
from humor_ros.wham.anchor import PositionFilter, camera_position_covariance
from humor_ros.wham.boxes import box_of_keypoints, box_of_xyxy
from humor_ros.wham.camera_fit import fit_translation
from humor_ros.wham.camera_input import camera_angular_velocity
from humor_ros.wham.initialisation import initial_root, neutral_initialisation
from humor_ros.wham.keypoints import MIN_CONFIDENCE, keypoint_mask, normalise_keypoints
from humor_ros.wham.network import WhamNetwork
from humor_ros.wham.resampling import (
    MAX_GAP_S,
    interpolate_keypoints,
    split_rotation,
    substep_count,
)
from humor_ros.wham.runner import prepare_for_streaming
from humor_ros.wham.state import WhamState
from humor_ros.wham.trajectory import turn
from humor_ros.wham.values import WhamInputs, WhamOutputs

__all__ = ["PersonMotion", "StreamConfig", "WhamStream"]

#: Key-points that place the body: all but those of the head, whose bias is the largest.
_PLACED = slice(5, 17)
#: With fewer joints in view the extent of the key-points says nothing of the person.
_MIN_BOX_JOINTS = 3


@dataclass(frozen=True)
class StreamConfig:
    """How the stream turns the network's answers into a world.

    Attributes:
        world_mode: ``"imu"``: orientation is the camera's gravity-true attitude times the
            camera-frame root, displacement is WHAM's velocity. ``"wham"``: the published
            trajectory decoder's orientation and roll-out.
        camera_fixed: the camera does not translate (a tripod, a wall): the seen position
            corrects the drift of the displacements. A known camera position does the same.
        box_smoothing: weight of the previous box in the next one, in [0, 1).
        betas_time_s: time over which the shape is averaged; bone lengths settle with it.
        fit_keypoints: fit the camera-frame position to the measured key-points, with the
            network's own answer as a prior; False leaves the network's answer.
        orientation_sigma_rad: standard deviation of the camera-frame root orientation.
    """

    world_mode: Literal["imu", "wham"] = "imu"
    camera_fixed: bool = False
    box_smoothing: float = 0.3
    betas_time_s: float = 10.0
    fit_keypoints: bool = True
    orientation_sigma_rad: float = 0.2

    def __post_init__(self) -> None:
        if self.world_mode not in ("imu", "wham"):
            raise ValueError(f"world_mode must be 'imu' or 'wham', got {self.world_mode!r}")
        if not 0.0 <= self.box_smoothing < 1.0:
            raise ValueError(f"box_smoothing must be in [0, 1), got {self.box_smoothing}")
        if not self.betas_time_s > 0.0:
            raise ValueError(f"betas_time_s must be positive, got {self.betas_time_s}")


@dataclass(frozen=True)
class PersonMotion:
    """Motion of one person at one image; see the same names in ``HumanState``.

    Attributes:
        track_id: the track's id.
        betas: (10,) averaged shape.
        rotations_camera: (24, 3, 3) joint rotations, the first is the root in the camera.
        joints_camera: (24, 3) metres.
        coco17_camera: (17, 3) metres.
        joints_world: (24, 3) metres, z-up.
        root_orientation_world: (3, 3).
        contacts: (4,) probabilities.
        contact_positions_world: (4, 3) metres.
        root_covariance_camera, root_covariance_world: (6, 6).
        linear_velocity_world: (3,) m/s.
        angular_velocity_world: (3,) rad/s.
    """

    track_id: int
    betas: Array
    rotations_camera: Array
    joints_camera: Array
    coco17_camera: Array
    joints_world: Array
    root_orientation_world: Array
    contacts: Array
    contact_positions_world: Array
    root_covariance_camera: Array
    root_covariance_world: Array
    linear_velocity_world: Array
    angular_velocity_world: Array


@dataclass(frozen=True)
class _Person:
    """What is remembered of a person beside the network's state.

    Attributes:
        track_id: the track's id.
        keypoints: (17, 3) last key-points, virtual camera.
        box: (3,) last smoothed box: centre px, side / 200.
        betas: (10,) averaged shape; ``betas_time_s`` how much time stands in it.
        orientation_world: (3, 3) last root orientation, z-up world.
        place: world position of the mid-hip, None before the first output.
    """

    track_id: int
    keypoints: Array
    box: Array
    betas: Array
    betas_time_s: float
    orientation_world: Array
    place: PositionFilter | None


class WhamStream:
    """The state of all people and the step from one image to the next.

    Args:
        network: any size, in evaluation mode.
        body: body model whose shape space the network was trained for.
        config: how the world is made.
    """

    def __init__(
        self, network: WhamNetwork, body: BodyModel, config: StreamConfig | None = None
    ) -> None:
        self._network = prepare_for_streaming(network)
        self._body = body.eval()
        self._config = config or StreamConfig()
        self._people: list[_Person] = []
        self._state: WhamState | None = None
        self._stamp_s: float | None = None

    @property
    def track_ids(self) -> tuple[int, ...]:
        """Ids of the people who have a state, in its order."""
        return tuple(person.track_id for person in self._people)

    def reset(self) -> None:
        """Forget everybody."""
        self._people, self._state, self._stamp_s = [], None, None

    @torch.inference_mode()
    def step(
        self, tracks: Sequence[Track], motion: CameraMotion, camera: PinholeCamera
    ) -> list[PersonMotion]:
        """Advance everybody to one image.

        Args:
            tracks: people to follow; somebody who is not in the list is forgotten, an
                OCCLUDED one is stepped with all key-points masked.
            motion: camera motion since the previous call.
            camera: the real camera; key-points are taken to its virtual pinhole.

        Returns:
            One motion for each track, in order.
        """
        interval_s = 0.0 if self._stamp_s is None else motion.stamp_s - self._stamp_s
        if interval_s > MAX_GAP_S or interval_s < 0.0:
            self._state = None  # shape and place are remembered, motion is not
        self._stamp_s = motion.stamp_s
        virtual = camera.virtual()
        keypoints = [_virtual_keypoints(track, camera) for track in tracks]
        known = {person.track_id: person for person in self._people}
        rows = {person.track_id: row for row, person in enumerate(self._people)}
        stale = self._state is None
        olds = [i for i, track in enumerate(tracks) if track.track_id in known and not stale]
        news = [i for i in range(len(tracks)) if i not in olds]
        people: dict[int, _Person] = {}
        answers: dict[int, _Answer] = {}
        states: list[WhamState] = []
        if olds and self._state is not None:
            before = [known[tracks[i].track_id] for i in olds]
            state = self._state.select([rows[tracks[i].track_id] for i in olds])
            count = substep_count(interval_s)
            way = [
                interpolate_keypoints(p.keypoints, keypoints[i], count)
                for p, i in zip(before, olds, strict=True)
            ]
            boxes = [self._boxes(p.box, w) for p, w in zip(before, way, strict=True)]
            step = split_rotation(motion.rotation_previous_current, count)
            inputs = _inputs(np.stack(way), np.stack(boxes), step, virtual)
            state, outputs = self._network.step(state, inputs, self._body)
            states.append(state)
            for row, i in enumerate(olds):
                answers[i] = _answer(outputs, row)
                people[i] = replace(before[row], keypoints=keypoints[i], box=boxes[row][-1])
        if news:
            state, outputs, boxes_new = self._begin(
                [keypoints[i] for i in news], [tracks[i].box_xyxy for i in news], motion, virtual
            )
            states.append(state)
            for row, i in enumerate(news):
                answers[i] = _answer(outputs, row)
                people[i] = self._newcomer(
                    tracks[i].track_id,
                    keypoints[i],
                    boxes_new[row],
                    answers[i],
                    motion,
                    known.get(tracks[i].track_id),
                )
        order = olds + news
        motions: dict[int, PersonMotion] = {}
        self._people = []
        for i in order:
            person, motions[i] = self._place(
                people[i], answers[i], tracks[i], motion, virtual, interval_s
            )
            self._people.append(person)
        self._state = WhamState.cat(states) if states else None
        return [motions[i] for i in range(len(tracks))]

    def _boxes(self, previous: Array, way: Array) -> Array:
        """Smoothed boxes (n, 3) along key-points (n, 17, 3)."""
        boxes = []
        for points in way:
            tight = _tight_box(points)
            if tight is not None:
                keep = self._config.box_smoothing
                previous = keep * previous + (1.0 - keep) * tight
            boxes.append(previous)
        return np.stack(boxes)

    def _begin(
        self,
        keypoints: list[Array],
        boxes_xyxy: list[Array],
        motion: CameraMotion,
        virtual: PinholeCamera,
    ) -> tuple[WhamState, WhamOutputs, Array]:
        """First frame of new people: a first pass finds the root, a second starts the world."""
        boxes = np.stack(
            [
                tight if (tight := _tight_box(points)) is not None else box_of_xyxy(xyxy)
                for points, xyxy in zip(keypoints, boxes_xyxy, strict=True)
            ]
        )
        way = np.stack(keypoints)[:, None]
        inputs = _inputs(way, boxes[:, None], np.eye(3), virtual)
        start = neutral_initialisation(self._body, inputs.x[:, 0], inputs.mask[:, 0])
        attitude = ROTATION_FLU_OPTICAL.T @ motion.rotation_world_camera
        rotation = torch.as_tensor(attitude, dtype=inputs.x.dtype).expand(len(boxes), 3, 3)
        facing = rotation_6d_to_matrix(start.init_smpl[:, 0, 0])
        root = initial_root(rotation, facing)
        state = self._network.initial_state(start.init_kp, start.init_smpl, root)
        _, outputs = self._network.step(state, inputs, self._body)
        facing = outputs.rotations[:, 0, 0]
        root = initial_root(rotation, facing)
        state = self._network.initial_state(start.init_kp, start.init_smpl, root)
        state, outputs = self._network.step(state, inputs, self._body)
        return state, outputs, boxes

    def _newcomer(
        self,
        track_id: int,
        keypoints: Array,
        box: Array,
        answer: _Answer,
        motion: CameraMotion,
        before: _Person | None,
    ) -> _Person:
        orientation = motion.rotation_world_camera @ answer.rotations[-1, 0]
        if before is not None:  # back after a gap: shape and place are remembered
            return replace(before, keypoints=keypoints, box=box, orientation_world=orientation)
        return _Person(track_id, keypoints, box, answer.betas[-1], 0.0, orientation, None)

    def _place(
        self,
        person: _Person,
        answer: _Answer,
        track: Track,
        motion: CameraMotion,
        virtual: PinholeCamera,
        interval_s: float,
    ) -> tuple[_Person, PersonMotion]:
        """Put one person into the camera frame and the world."""
        seen = track.state is not TrackingState.OCCLUDED
        betas, weight = person.betas, person.betas_time_s
        if seen:
            weight = min(weight + max(interval_s, 1.0 / 30.0), self._config.betas_time_s)
            share = min(1.0, max(interval_s, 1.0 / 30.0) / weight)
            betas = betas + share * (answer.betas[-1] - betas)
        body = self._body(
            torch.as_tensor(betas, dtype=torch.float32)[None],
            torch.as_tensor(answer.rotations[-1], dtype=torch.float32)[None],
        )
        coco = body.keypoints31[0, :17].double().numpy()
        hips = coco[11:13].mean(0)
        joints = body.joints[0].double().numpy() - hips
        feet = body.feet[0].double().numpy() - hips
        coco = coco - hips
        hips_camera = answer.camera_translation(person.box, virtual)
        if self._config.fit_keypoints and seen:
            hips_camera = _fitted(coco, person, hips_camera, virtual)
        rotation_wc = motion.rotation_world_camera
        orientation, displacement = self._displace(person, answer, rotation_wc)
        seen_world = rotation_wc @ hips_camera + motion.position_world_camera
        seen_covariance = camera_position_covariance(hips_camera)
        world_covariance = rotation_wc @ seen_covariance @ rotation_wc.T
        place = person.place
        if place is None:
            place = PositionFilter.start(seen_world, world_covariance)
            displacement = np.zeros(3)
        else:
            place = place.move(displacement, interval_s, seen)
            if seen and self._tied(motion):
                place = place.see(seen_world, world_covariance)
        to_world = orientation @ answer.rotations[-1, 0].T
        turned = Rotation.from_matrix(orientation @ person.orientation_world.T).as_rotvec()
        sigma2 = self._config.orientation_sigma_rad**2 * (1.0 if seen else 4.0)
        duration = interval_s if interval_s > 0.0 else 1.0 / 30.0
        new = replace(
            person, betas=betas, betas_time_s=weight, orientation_world=orientation, place=place
        )
        return new, PersonMotion(
            track_id=person.track_id,
            betas=betas,
            rotations_camera=answer.rotations[-1],
            joints_camera=joints + hips_camera,
            coco17_camera=coco + hips_camera,
            joints_world=joints @ to_world.T + place.position,
            root_orientation_world=orientation,
            contacts=np.clip(answer.contacts[-1], 0.0, 1.0),
            contact_positions_world=feet @ to_world.T + place.position,
            root_covariance_camera=_block(seen_covariance, sigma2 * np.eye(3)),
            root_covariance_world=_block(
                place.covariance, sigma2 * np.eye(3) + motion.rotation_covariance
            ),
            linear_velocity_world=displacement / duration,
            angular_velocity_world=turned / duration,
        )

    def _tied(self, motion: CameraMotion) -> bool:
        """Whether the seen position may correct the world position."""
        static = motion.mode is CameraMotionMode.STATIC
        return motion.position_known or self._config.camera_fixed or static

    def _displace(
        self, person: _Person, answer: _Answer, rotation_world_camera: Array
    ) -> tuple[Array, Array]:
        """Root orientation (3, 3) and displacement (3,) since the last image, z-up world."""
        if self._config.world_mode == "wham":
            axes = ROTATION_FLU_OPTICAL
            return axes @ answer.root_world[-1], axes @ answer.displacement_world.sum(0)
        orientation = rotation_world_camera @ answer.rotations[-1, 0]
        count = len(answer.velocity)
        if count == 1:
            return orientation, person.orientation_world @ answer.velocity[0]
        step = split_rotation(person.orientation_world.T @ orientation, count)
        displacement, at = np.zeros(3), person.orientation_world
        for velocity in answer.velocity:
            displacement, at = displacement + at @ velocity, at @ step
        return orientation, displacement


@dataclass(frozen=True)
class _Answer:
    """The network's outputs for one person over n sub-steps, float64.

    Attributes:
        rotations: (n, 24, 3, 3) root in the camera first.
        betas: (n, 10); contacts: (n, 4); cam: (n, 3) scale, tx, ty.
        velocity: (n, 3) refined displacement in the previous root frame.
        root_world: (n, 3, 3) refined root orientation, y-down world.
        displacement_world: (n, 3) refined displacement, y-down world.
    """

    rotations: Array
    betas: Array
    contacts: Array
    cam: Array
    velocity: Array
    root_world: Array
    displacement_world: Array

    def camera_translation(self, box: Array, camera: PinholeCamera) -> Array:
        """Mid-hip in the camera (3,), metres: the full-image camera (spec, section 1.6)."""
        scale, tx, ty = self.cam[-1]
        height = 200.0 * box[2] * scale
        depth = 2.0 * camera.fx / max(height, 1e-6)
        x = tx + 2.0 * (box[0] - camera.width / 2.0) / max(height, 1e-6)
        y = ty + 2.0 * (box[1] - camera.height / 2.0) / max(height, 1e-6)
        return np.array([x, y, depth])


def _answer(outputs: WhamOutputs, row: int) -> _Answer:
    def numpy(tensor: Tensor) -> Array:
        return tensor[row].double().numpy()

    velocity = outputs.velocity_refined
    return _Answer(
        rotations=numpy(outputs.rotations),
        betas=numpy(outputs.motion.betas),
        contacts=numpy(outputs.motion.contacts),
        cam=numpy(outputs.motion.cam),
        velocity=numpy(velocity),
        root_world=numpy(outputs.rotation_world_root),
        displacement_world=numpy(
            turn(rotation_6d_to_matrix(outputs.root_refined_previous), velocity)
        ),
    )


def _fitted(coco: Array, person: _Person, prior: Array, camera: PinholeCamera) -> Array:
    """The mid-hip (3,) that carries the body's key-points (17, 3) onto the measured ones."""
    centre = np.array([camera.width, camera.height]) / 2.0
    confidence = np.where(person.keypoints[:, 2] >= MIN_CONFIDENCE, person.keypoints[:, 2], 0.0)
    return fit_translation(
        coco[_PLACED],
        (person.keypoints[_PLACED, :2] - centre) / camera.fx,
        confidence[_PLACED],
        prior,
        200.0 * float(person.box[2]) / camera.fx,
    )


def _virtual_keypoints(track: Track, camera: PinholeCamera) -> Array:
    """(17, 3) key-points in the virtual camera; what cannot be seen there has confidence 0."""
    points = np.array(track.keypoints, dtype=float)
    points[:, :2] = camera.to_virtual(points[:, :2])
    lost = ~np.isfinite(points).all(axis=1)
    points[lost] = 0.0
    if track.state is TrackingState.OCCLUDED:
        points[:, 2] = 0.0
    return points


def _tight_box(keypoints: Array) -> Array | None:
    """(3,) centre px and side / 200 of the seen key-points (17, 3), or None if too few."""
    if (keypoints[:, 2] >= MIN_CONFIDENCE).sum() < _MIN_BOX_JOINTS:
        return None
    return box_of_keypoints(keypoints, MIN_CONFIDENCE)


def _inputs(way: Array, boxes: Array, rotation: Array, camera: PinholeCamera) -> WhamInputs:
    """Network inputs of P people over n sub-steps from key-points (P, n, 17, 3)."""
    people, count = way.shape[:2]
    points = torch.as_tensor(way, dtype=torch.float32)
    size = torch.tensor([[float(camera.width), float(camera.height)]]).expand(people, 2)
    turned = camera_angular_velocity(torch.as_tensor(rotation, dtype=torch.float32))
    return WhamInputs(
        x=normalise_keypoints(points, torch.as_tensor(boxes, dtype=torch.float32), size),
        mask=keypoint_mask(points[..., 2]),
        cam_angvel=turned.expand(people, count, 6),
    )


def _block(upper: Array, lower: Array) -> Array:
    matrix = np.zeros((6, 6))
    matrix[:3, :3], matrix[3:, 3:] = upper, lower
    return matrix
