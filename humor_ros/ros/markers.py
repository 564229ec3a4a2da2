"""RViz markers without plugins: skeleton, joints, feet at rest and the path of each person.

Ids count up with each new person and are never reused, so a marker keeps its place in RViz;
every marker expires after a few images, and people who are gone are deleted at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from humor_ros.body.skeleton import SMPL_EDGES
from humor_ros.ros.conversion import points_from_array
from humor_ros.ros.derived_human import DerivedHuman
from humor_ros.types import TrackingState

__all__ = ["MarkerBook"]

_EDGES = [joint for edge in SMPL_EDGES for joint in edge]
#: Colours that are told apart by the colour-blind too (Okabe and Ito, 2008).
_PALETTE = (
    (0.90, 0.62, 0.00),
    (0.34, 0.71, 0.91),
    (0.00, 0.62, 0.45),
    (0.94, 0.89, 0.26),
    (0.00, 0.45, 0.70),
    (0.84, 0.37, 0.00),
    (0.80, 0.47, 0.65),
)
_IMAGES_OF_LIFE = 3.5
_NAMESPACES = ("skeleton", "joints", "contacts", "trajectory")


@dataclass
class _Drawn:
    """What is remembered of a person: its number, and the path walked so far."""

    number: int
    path: deque[tuple[float, Point]] = field(default_factory=deque)


class MarkerBook:
    """Draws people and remembers whom to wipe."""

    def __init__(self) -> None:
        self._lifetime = Duration(nanosec=200_000_000)
        self._drawn: dict[str, _Drawn] = {}
        self._count = 0

    def draw(
        self,
        people: Sequence[DerivedHuman],
        header: Header,
        *,
        in_world: bool,
        contact_threshold: float,
        trajectory_s: float,
        interval_s: float,
    ) -> MarkerArray:
        """Markers of one image.

        Args:
            people: everybody alive in this image.
            header: stamp of the image and the frame to draw in.
            in_world: whether that frame is the world, else it is the camera's.
            contact_threshold: probability from which a foot point is drawn as resting.
            trajectory_s: length of the path drawn, seconds; 0 draws none.
            interval_s: time since the image before; markers live for three of these.
        """
        life_s = min(max(_IMAGES_OF_LIFE * interval_s, 0.1), 0.9)
        self._lifetime = Duration(nanosec=int(life_s * 1e9))
        array = MarkerArray()
        here = {human.state.person_id for human in people}
        for person_id in [name for name in self._drawn if name not in here]:
            array.markers.extend(self._wipe(person_id, header))
        for human in people:
            drawn = self._drawn.get(human.state.person_id)
            if drawn is None:
                self._count += 1
                drawn = self._drawn[human.state.person_id] = _Drawn(self._count)
            array.markers.extend(self._skeleton(human, drawn, header, in_world))
            if in_world:
                array.markers.append(self._contacts(human, drawn, header, contact_threshold))
                array.markers.extend(self._trajectory(human, drawn, header, trajectory_s))
        return array

    def clear(self, header: Header) -> MarkerArray:
        """Wipe everything (deactivation, a restart of the clock)."""
        array = MarkerArray(markers=[Marker(header=header, action=Marker.DELETEALL)])
        array.markers[0].pose.orientation.w = 1.0
        self._drawn.clear()
        return array

    def _wipe(self, person_id: str, header: Header) -> list[Marker]:
        number = self._drawn.pop(person_id).number
        pose = Pose(orientation=Quaternion(w=1.0))
        return [
            Marker(header=header, ns=ns, id=number, action=Marker.DELETE, pose=pose)
            for ns in _NAMESPACES
        ]

    def _marker(
        self, drawn: _Drawn, header: Header, namespace: str, kind: int, scale: Vector3, alpha: float
    ) -> Marker:
        red, green, blue = _PALETTE[(drawn.number - 1) % len(_PALETTE)]
        return Marker(
            header=header,
            ns=namespace,
            id=drawn.number,
            type=kind,
            action=Marker.ADD,
            pose=Pose(orientation=Quaternion(w=1.0)),
            scale=scale,
            color=ColorRGBA(r=red, g=green, b=blue, a=alpha),
            lifetime=self._lifetime,
        )

    def _skeleton(
        self, human: DerivedHuman, drawn: _Drawn, header: Header, in_world: bool
    ) -> list[Marker]:
        state = human.state
        alpha = 1.0 if state.tracking_state is TrackingState.TRACKED else 0.4
        points = points_from_array(state.joints_world if in_world else state.joints_camera)
        bones = self._marker(
            drawn, header, "skeleton", Marker.LINE_LIST, Vector3(x=0.025, y=0.0, z=0.0), alpha
        )
        bones.points = [points[joint] for joint in _EDGES]
        joints = self._marker(
            drawn, header, "joints", Marker.SPHERE_LIST, Vector3(x=0.05, y=0.05, z=0.05), alpha
        )
        joints.points = points
        return [bones, joints]

    def _contacts(
        self, human: DerivedHuman, drawn: _Drawn, header: Header, threshold: float
    ) -> Marker:
        state = human.state
        discs = self._marker(
            drawn, header, "contacts", Marker.SPHERE_LIST, Vector3(x=0.1, y=0.1, z=0.02), 0.8
        )
        discs.points = points_from_array(state.contact_positions_world[state.contacts >= threshold])
        if not discs.points:
            discs.action = Marker.DELETE
        return discs

    def _trajectory(
        self, human: DerivedHuman, drawn: _Drawn, header: Header, trajectory_s: float
    ) -> list[Marker]:
        state = human.state
        x, y, z = state.root_position_world.tolist()
        drawn.path.append((state.stamp_s, Point(x=x, y=y, z=z)))
        while drawn.path and drawn.path[0][0] < state.stamp_s - trajectory_s:
            drawn.path.popleft()
        if len(drawn.path) < 2:
            return []
        line = self._marker(
            drawn, header, "trajectory", Marker.LINE_STRIP, Vector3(x=0.02, y=0.0, z=0.0), 0.6
        )
        line.points = [point for _, point in drawn.path]
        return [line]
