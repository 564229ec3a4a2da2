"""Everything that the smoother publishes; what nobody subscribes to is not made."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from std_msgs.msg import Header
from torch import Tensor
from visualization_msgs.msg import MarkerArray

from humor_ros.humor.outlook import PersonForecast
from humor_ros.humor.refined_image import RefinedHuman, RefinedImage
from humor_ros.humor.seen import SeenImage
from humor_ros.msg import BodyContacts, GroundPlane, HumanForecasts, HumanStates
from humor_ros.msg import HumanState as HumanStateMessage
from humor_ros.ros.conversion import human_to_message
from humor_ros.ros.derived_human import DerivedHuman
from humor_ros.ros.forecast_conversion import body_contacts, forecasts_message, ground_message
from humor_ros.ros.forecast_markers import ForecastMarkers
from humor_ros.ros.markers import MarkerBook
from humor_ros.ros.people_transforms import person_transforms
from humor_ros.ros.qos import output_qos
from humor_ros.ros.tf_door import make_sender
from humor_ros.types import TrackingState

__all__ = ["SmootherOutputs"]

#: Images of one hop are told together.
_BURST = 100
#: People of one image, each of whom has messages of their own.
_PEOPLE = 10
#: Forecasts are drawn at most so often: for the eye that is enough, and thousands of points cost
#: more than the forecast itself.
_DRAWN_EVERY_S = 0.25


class SmootherOutputs:
    """The publishers of the smoother.

    Args:
        node: that publishes.
        values: its parameters by name.
        age_of: tells how long ago a stamp (seconds) was.
    """

    def __init__(
        self, node: Node, values: Mapping[str, Any], age_of: Callable[[float], float]
    ) -> None:
        self._node = node
        self._age_of = age_of
        self._suffix = values["tf.suffix"]
        self._last = Header()
        self._last_stamp_s: float | None = None
        self._drawn_s = float("-inf")
        #: Settings that may change while the node runs.
        self.contact_threshold = float(values["contact_threshold"])
        self.trajectory_s = float(values["markers.trajectory"])

        def publisher(kind: type, name: str, depth: int = 10) -> Publisher:
            return node.create_publisher(kind, name, output_qos(depth))

        self._humans = publisher(HumanStates, "~/humans", _BURST)
        self._contacts = publisher(BodyContacts, "~/contacts", _PEOPLE * _BURST)
        self._ground = publisher(GroundPlane, "~/ground")
        self._markers = publisher(MarkerArray, "~/markers", _BURST)
        self._forecasts = publisher(HumanForecasts, "~/forecasts")
        self._forecast_markers = publisher(MarkerArray, "~/forecast_markers")
        self._sender = make_sender(node) if values["tf.enabled"] else None
        self._book, self._forecast_book = MarkerBook(), ForecastMarkers()

    @property
    def forecasts_wanted(self) -> bool:
        """Whether anybody subscribes to forecasts or their markers."""
        return bool(
            self._forecasts.get_subscription_count()
            or self._forecast_markers.get_subscription_count()
        )

    def publish(self, refined: RefinedImage) -> float:
        """Publish one image, the human states first.

        Returns:
            Time from the image's stamp to now, seconds.
        """
        image = refined.image
        world = _world(image)
        self._last = world
        latency_s = self._age_of(image.stamp_s)
        if self._humans.get_subscription_count():
            self._humans.publish(_states(refined, world, latency_s))
        alive = [h for h in refined.humans if h.state.tracking_state is not TrackingState.LOST]
        if self._sender is not None and self._sender.heard and alive:
            self._sender.send(
                [
                    transform
                    for human in alive
                    for transform in person_transforms(self._renamed(human), world, in_world=True)
                ]
            )
        if self._contacts.get_subscription_count():
            for human in alive:
                self._contacts.publish(body_contacts(human, world))
        if self._markers.get_subscription_count():
            before_s = self._last_stamp_s
            self._markers.publish(
                self._book.draw(
                    [DerivedHuman(human.state) for human in alive],
                    world,
                    in_world=True,
                    contact_threshold=self.contact_threshold,
                    trajectory_s=self.trajectory_s,
                    # Markers live from burst to burst.
                    interval_s=1.0 if before_s is None else max(0.3, image.stamp_s - before_s),
                )
            )
        self._last_stamp_s = image.stamp_s
        return latency_s

    def publish_ground(self, newest: SeenImage, ground: Tensor, people: int, frames: float) -> None:
        """Publish the common ground.

        Args:
            newest: image that it rests on.
            ground: (3,) height at the origin and slopes.
            people: that it rests on; ``frames`` of theirs.
            frames: see ``people``.
        """
        if self._ground.get_subscription_count():
            self._ground.publish(ground_message(ground, people, frames, _world(newest)))

    def publish_forecasts(
        self, image: SeenImage, forecasts: Sequence[PersonForecast], horizon_s: float
    ) -> None:
        """Publish everybody's forecast from one image."""
        world = _world(image)
        if self._forecasts.get_subscription_count():
            self._forecasts.publish(forecasts_message(forecasts, world, horizon_s))
        now_s = time.monotonic()
        if now_s < self._drawn_s + _DRAWN_EVERY_S:
            return
        if self._forecast_markers.get_subscription_count():
            self._drawn_s = now_s
            self._forecast_markers.publish(self._forecast_book.draw(forecasts, world))

    def wipe(self) -> None:
        """Wipe markers (everything starts anew)."""
        self._last_stamp_s = None
        self._markers.publish(self._book.clear(self._last))
        self._forecast_markers.publish(self._forecast_book.clear(self._last))

    def clear(self) -> None:
        """Tell subscribers that there is nobody: empty lists, markers wiped."""
        self._humans.publish(HumanStates(header=self._last))
        self._forecasts.publish(HumanForecasts(header=self._last))
        self.wipe()

    def close(self) -> None:
        """Give every publisher back."""
        for publisher in (
            self._humans,
            self._contacts,
            self._ground,
            self._markers,
            self._forecasts,
            self._forecast_markers,
        ):
            self._node.destroy_publisher(publisher)
        if self._sender is not None:
            self._sender.close()

    def _renamed(self, human: RefinedHuman) -> DerivedHuman:
        state = human.state
        return DerivedHuman(replace(state, person_id=f"{state.person_id}{self._suffix}"))


def _world(image: SeenImage) -> Header:
    return Header(stamp=image.source.header.stamp, frame_id=image.world_frame)


def _states(refined: RefinedImage, world: Header, latency_s: float) -> HumanStates:
    """The tracker's message with refined people; those who are not refined as they came."""
    source: HumanStates = refined.image.source
    message = HumanStates(
        header=source.header,
        world_frame=source.world_frame,
        camera_motion=source.camera_motion,
        gravity_known=source.gravity_known,
        camera_position_known=source.camera_position_known,
        camera_world=source.camera_world,
        image_width=source.image_width,
        image_height=source.image_height,
    )
    came: dict[str, HumanStateMessage] = {human.id: human for human in source.humans}
    for human in refined.humans:
        if human.smoothed:
            state = human_to_message(DerivedHuman(human.state), world, latency_s)
        else:
            state = came[human.state.person_id]
            state.latency = float(latency_s)
        message.humans.append(state)
    return message
