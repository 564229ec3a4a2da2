"""Virtual cameras that film motion capture: fixed on a tripod, or carried by somebody.

People of one group see one camera attitude and one IMU, so that they can be streamed together;
each has an own camera centre, so that each is filmed from an own distance. The accelerometer
feels the way of the camera of the group's first person.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from humor_ros.evaluation.mocap_motion import TruePerson
from humor_ros.evaluation.rig_motion import CameraWay, hand_held
from humor_ros.geometry import PinholeCamera
from humor_ros.training.mocap import MOCAP_FPS
from humor_ros.types import Array

__all__ = ["CAMERA_KINDS", "GroupCamera", "film_group"]

CAMERA_KINDS = ("static", "moving")

#: Width and height of the images, pixels.
_IMAGE_SIZES = ((1280, 720), (640, 480), (1920, 1080), (1000, 1000), (720, 1280))
#: Focal length over the image's diagonal: lenses of 53 to 80 degrees along the diagonal.
_FOCAL = (0.6, 1.0)
#: Distances of a fixed camera, log-uniform, and the farthest that it steps back, metres.
_DISTANCE_M = (2.2, 6.0)
_FARTHEST_M = 12.0
_NEAREST_M = 0.8
#: How far out in the image the hips may be, as a share of the way to its edge.
_IN_VIEW = 0.75
#: Pitch (looking down is positive) and roll of a fixed camera: mean and standard deviation, rad.
_PITCH = (0.09, 0.2)
_ROLL_STD = 0.05
#: A carrying person stands at about this distance (``rig_motion.hand_held``), times a factor.
_CARRIED = (0.6, 1.6)
#: The carried camera follows the person calmly: standard deviation of the smoothing, seconds.
_FOLLOW_S = 0.7


@dataclass(frozen=True, eq=False)
class GroupCamera:
    """Camera of a group of people over T frames, T that of the longest.

    Attributes:
        camera: intrinsics.
        way: attitude, and the way that the IMU feels.
        rotation_world_camera: (T, 3, 3).
        centres: camera centre (T_p, 3) for each person, z-up world, metres.
    """

    camera: PinholeCamera
    way: CameraWay
    rotation_world_camera: Array
    centres: tuple[Array, ...]

    def in_camera(self, person: int, points_world: Array) -> Array:
        """Take points (T_p, N, 3) of a person's world to the camera, optical axes."""
        relative = points_world - self.centres[person][:, None]
        rotation = self.rotation_world_camera[: len(points_world)]
        return np.asarray(np.einsum("tji,tnj->tni", rotation, relative))


def film_group(people: Sequence[TruePerson], kind: str, random: np.random.Generator) -> GroupCamera:
    """Place a camera before each person of a group.

    Args:
        people: the first is the one whose camera the accelerometer feels.
        kind: one of :data:`CAMERA_KINDS`.
        random: source of all chance.

    Raises:
        ValueError: the kind is unknown or there is nobody.
    """
    if kind not in CAMERA_KINDS:
        raise ValueError(f"camera: {kind!r} is not one of {', '.join(CAMERA_KINDS)}")
    if not people:
        raise ValueError("people: there is nobody to film")
    frames = max(len(person.joints) for person in people)
    camera = _draw_intrinsics(random)
    if kind == "static":
        return _fixed(people, frames, camera, random)
    return _carried(people, frames, camera, random)


def _draw_intrinsics(random: np.random.Generator) -> PinholeCamera:
    width, height = _IMAGE_SIZES[int(random.integers(len(_IMAGE_SIZES)))]
    focal = random.uniform(*_FOCAL) * np.hypot(width, height)
    cx, cy = (np.array([width, height]) - 1) / 2 + random.normal(size=2) * 0.01 * width
    matrix = np.array([[focal, 0.0, cx], [0.0, focal, cy], [0.0, 0.0, 1.0]])
    return PinholeCamera(width, height, matrix)


def _fixed(
    people: Sequence[TruePerson],
    frames: int,
    camera: PinholeCamera,
    random: np.random.Generator,
) -> GroupCamera:
    angles = np.array([0.0, _PITCH[0] + _PITCH[1] * random.normal(), _ROLL_STD * random.normal()])
    times = np.array([-2.0, frames / MOCAP_FPS + 2.0])
    way = CameraWay(
        CubicSpline(times, np.zeros((2, 3))), CubicSpline(times, np.stack([angles, angles]))
    )
    rotation = way.rotation(np.zeros(1))
    centres = []
    for person in people:
        hips = person.hips
        middle = (hips.min(axis=0) + hips.max(axis=0)) / 2.0
        aside = np.clip(random.normal(size=2) * [0.16, 0.07], -0.4, 0.4)
        aside = aside * [camera.width / camera.fx, camera.height / camera.fy]
        low, high = _DISTANCE_M
        distance = low * (high / low) ** random.uniform()
        seen = (hips - middle) @ rotation[0]
        while distance < _FARTHEST_M and not _stays_in_view(seen, aside, distance, camera):
            distance *= 1.1
        centre = middle - rotation[0] @ (distance * np.append(aside, 1.0))
        centres.append(np.broadcast_to(centre, hips.shape).copy())
    return GroupCamera(camera, way, np.repeat(rotation, frames, axis=0), tuple(centres))


def _stays_in_view(seen: Array, aside: Array, distance: float, camera: PinholeCamera) -> bool:
    """Whether hips (T, 3) about their middle stay in the image at this distance."""
    placed = seen + distance * np.append(aside, 1.0)
    if placed[:, 2].min() < _NEAREST_M:
        return False
    edge = np.array([camera.width / camera.fx, camera.height / camera.fy]) / 2.0
    return bool((np.abs(placed[:, :2] / placed[:, 2:]) < _IN_VIEW * edge).all())


def _carried(
    people: Sequence[TruePerson],
    frames: int,
    camera: PinholeCamera,
    random: np.random.Generator,
) -> GroupCamera:
    stamps = np.arange(frames) / MOCAP_FPS
    targets = [
        gaussian_filter1d(p.hips, _FOLLOW_S * MOCAP_FPS, axis=0, mode="nearest") for p in people
    ]
    target = _extended(stamps[: len(targets[0])], targets[0])
    way = hand_held(random, frames / MOCAP_FPS, target)
    arm = way.position(stamps) - target(stamps)
    centres = []
    for index, goal in enumerate(targets):
        low, high = _CARRIED
        scale = 1.0 if index == 0 else low * (high / low) ** random.uniform()
        centres.append(goal + scale * arm[: len(goal)])
    return GroupCamera(camera, way, way.rotation(stamps), tuple(centres))


def _extended(stamps_s: Array, points: Array) -> Callable[[Array], Array]:
    """Points (N, 3) over time that go on at their last speed before and after.

    A camera that stood still before and after the clip would start and stop within a sample.
    """
    spline = CubicSpline(stamps_s, points)
    first, last = float(stamps_s[0]), float(stamps_s[-1])
    speeds = spline(np.array([first, last]), 1)

    def point(times_s: Array) -> Array:
        before = np.minimum(times_s - first, 0.0)[:, None] * speeds[0]
        after = np.maximum(times_s - last, 0.0)[:, None] * speeds[1]
        return np.asarray(spline(np.clip(times_s, first, last)) + before + after)

    return point
