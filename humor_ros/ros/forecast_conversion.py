"""Forecasts, contacts and the ground as messages."""

from __future__ import annotations

import array
from collections.abc import Sequence

import numpy as np
from geometry_msgs.msg import Vector3
from std_msgs.msg import Header

from humor_ros.humor.common_ground import ground_plane
from humor_ros.humor.outlook import PersonForecast
from humor_ros.humor.refined_image import RefinedHuman
from humor_ros.humor.state import CONTACT_NAMES, FRAME_RATE
from humor_ros.msg import BodyContacts, GroundPlane, HumanCapsule, HumanForecast, HumanForecasts
from humor_ros.ros.conversion import points_from_array
from humor_ros.types import Array

__all__ = ["body_contacts", "forecast_message", "forecasts_message", "ground_message"]


def body_contacts(human: RefinedHuman, world: Header) -> BodyContacts:
    """HuMoR's nine contacts of one person.

    Args:
        human: refined, or as tracked.
        world: stamp of the image and name of the world.
    """
    return BodyContacts(
        header=world,
        person_id=human.state.person_id,
        smoothed=human.smoothed,
        lag=float(human.lag_s),
        names=list(CONTACT_NAMES),
        probabilities=np.asarray(human.contacts9, np.float32),
        positions=points_from_array(human.contact_positions9),
    )


def ground_message(ground: Array, people: int, frames: float, world: Header) -> GroundPlane:
    """The common ground.

    Args:
        ground: (3,) height at the origin and slopes.
        people: that it rests on.
        frames: of 30 a second that it rests on.
        world: stamp of the newest image and name of the world.
    """
    x, y, z, offset = ground_plane(ground).tolist()
    return GroundPlane(
        header=world,
        normal=Vector3(x=x, y=y, z=z),
        offset=offset,
        people=people,
        seconds=float(frames / FRAME_RATE),
    )


def forecast_message(forecast: PersonForecast, world: Header) -> HumanForecast:
    """One person's forecast.

    Args:
        forecast: of the person.
        world: stamp that times count from, and name of the world.
    """
    capsules = forecast.capsules
    return HumanForecast(
        header=world,
        person_id=forecast.name,
        smoothed=forecast.smoothed,
        age=float(forecast.age_s),
        times=array.array("f", forecast.time_s),
        root_positions=points_from_array(forecast.root),
        root_covariances=array.array("d", forecast.covariance.ravel()),
        joint_positions=points_from_array(forecast.joints.reshape(-1, 3)),
        capsules=[
            HumanCapsule(
                joint=name,
                radius=float(capsules.radii[index]),
                starts=points_from_array(forecast.starts[:, index]),
                ends=points_from_array(forecast.ends[:, index]),
            )
            for index, name in enumerate(capsules.names)
        ],
        sample_count=len(forecast.samples),
        sample_roots=points_from_array(forecast.samples.reshape(-1, 3)),
    )


def forecasts_message(
    forecasts: Sequence[PersonForecast], world: Header, horizon_s: float
) -> HumanForecasts:
    """The forecasts of everybody in view; arguments as of :func:`forecast_message`."""
    return HumanForecasts(
        header=world,
        horizon=float(horizon_s),
        forecasts=[forecast_message(forecast, world) for forecast in forecasts],
    )
