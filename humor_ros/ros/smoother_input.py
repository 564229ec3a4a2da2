"""From the tracker's messages to the online smoother's images: what is unusable is left out."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from humor_ros.geometry import PinholeCamera
from humor_ros.humor.seen import SeenImage
from humor_ros.msg import HumanState as HumanStateMessage
from humor_ros.msg import HumanStates
from humor_ros.ros.camera_input import CameraInput
from humor_ros.ros.conversion import human_from_message
from humor_ros.ros.reports import Reporter
from humor_ros.ros.rotation_door import matrix_from_quaternion_xyzw
from humor_ros.ros.time_conversion import seconds_from_stamp
from humor_ros.types import Array, HumanState, TrackingState

__all__ = ["SmootherInput"]

#: What must be finite of a person; joints and key-points may miss.
_NEEDED = (
    *("body_pose", "root_orientation_camera", "root_position_camera", "betas"),
    *("root_orientation_world", "root_position_world"),
    *("root_linear_velocity_world", "root_angular_velocity_world"),
)
#: What is taken for unknown where it is not finite.
_OPTIONAL = ("joint_confidence", "contacts", "contact_positions_world", "box_xyxy")
_QUATERNION_SLACK = 0.1


class SmootherInput:
    """Checks and converts messages.

    Args:
        camera: calibration.
        reporter: tells of what is left out, and counts it.
        clock: seconds of a monotonic clock.
    """

    def __init__(
        self,
        camera: CameraInput,
        reporter: Reporter,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calibration = camera
        self._reporter = reporter
        self._clock = clock
        self._camera: PinholeCamera | None = None

    def image(self, message: HumanStates) -> SeenImage | None:
        """The image of a message; None where it cannot be used."""
        if not self._calibration.ready(self._clock()):
            return None
        pose = message.camera_world.pose
        place = np.array((pose.position.x, pose.position.y, pose.position.z))
        turn = pose.orientation
        quaternion = np.array((turn.x, turn.y, turn.z, turn.w))
        if not _is_pose(place, quaternion):
            self._reporter.say(
                "images_without_camera_pose",
                "topic humans: camera_world is not finite or no rotation, the image is left out; "
                "check the publisher",
            )
            return None
        stamp_s = seconds_from_stamp(message.header.stamp)
        humans = [self._human(human, stamp_s) for human in message.humans]
        return SeenImage(
            stamp_s=stamp_s,
            humans=tuple(human for human in humans if human is not None),
            rotation_world_camera=matrix_from_quaternion_xyzw(tuple(quaternion.tolist())),
            position_world_camera=place,
            camera=self._camera_of(message),
            world_frame=message.world_frame,
            source=message,
        )

    def _camera_of(self, message: HumanStates) -> PinholeCamera:
        self._camera = self._calibration.take_new() or self._camera
        width, height = message.image_width or 640, message.image_height or 480
        if self._camera is None or (
            self._camera.assumed and (self._camera.width, self._camera.height) != (width, height)
        ):
            self._camera = PinholeCamera.assume(width, height)
        return self._camera

    def _human(self, message: HumanStateMessage, stamp_s: float) -> HumanState | None:
        if not message.id:
            self._left_out("people_without_id", message, "its id is empty")
            return None
        try:
            human = human_from_message(message, stamp_s)
        except (ValueError, IndexError) as error:
            # A zero quaternion, an unknown tracking state, or arrays of another length.
            self._left_out("people_unreadable", message, f"{error}")
            return None
        if human.tracking_state is TrackingState.LOST:
            return human
        broken = [name for name in _NEEDED if not np.isfinite(getattr(human, name)).all()]
        if broken:
            self._left_out(
                "people_not_finite", message, f"{', '.join(broken)} hold NaN or infinity"
            )
            return None
        return self._mended(human)

    def _left_out(self, kind: str, message: HumanStateMessage, why: str) -> None:
        self._reporter.say(
            kind, f"topic humans: person {message.id!r} of an image is left out: {why}"
        )

    def _mended(self, human: HumanState) -> HumanState:
        """Unknown in place of what cannot be used of a person who can."""
        changed: dict[str, Array] = {}
        contacts, feet = human.contacts, human.contact_positions_world
        if contacts.shape != (4,) or feet.shape != (4, 3):
            self._reporter.say(
                "contacts_of_wrong_count",
                f"topic humans: person {human.person_id!r} has {len(contacts)} contacts at "
                f"{len(feet)} places where 4 are expected; they count as unknown",
            )
            changed["contacts"] = np.zeros(4)
            changed["contact_positions_world"] = np.repeat(human.root_position_world[None], 4, 0)
        lost = ~np.isfinite(human.joints_world).all(axis=1)
        lost |= ~np.isfinite(human.joints_camera).all(axis=1)
        if lost.any():
            self._reporter.say(
                "joints_not_finite",
                f"topic humans: {int(lost.sum())} joints of person {human.person_id!r} are not "
                "finite and count as unseen",
            )
            changed["joints_world"] = np.where(
                lost[:, None], human.root_position_world, human.joints_world
            )
            changed["joints_camera"] = np.where(
                lost[:, None], human.root_position_camera, human.joints_camera
            )
            changed["joint_confidence"] = np.where(lost, 0.0, np.nan_to_num(human.joint_confidence))
        for name in _OPTIONAL:
            values = changed.get(name, getattr(human, name))
            if not np.isfinite(values).all():
                changed[name] = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        if not changed:
            return human
        return HumanState(**(human.__dict__ | changed))


def _is_pose(place: Array, quaternion: Array) -> bool:
    length = float(np.linalg.norm(quaternion))
    return bool(np.isfinite(place).all()) and abs(length - 1.0) < _QUATERNION_SLACK
