"""What is said in hri_msgs, checked with stand-ins where that package cannot be imported."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from std_msgs.msg import Header
from synthetic_people import make_human

from humor_ros.ros import rep155
from humor_ros.ros.derived_human import DerivedHuman

pytestmark = pytest.mark.ros
NAMES = ("NormalizedRegionOfInterest2D", "NormalizedPointOfInterest2D", "Skeleton2D", "IdsList")


@pytest.fixture
def hri(monkeypatch):
    stand_in = SimpleNamespace(**dict.fromkeys(NAMES, SimpleNamespace))
    monkeypatch.setattr(rep155, "hri", stand_in)


def test_the_region_of_interest_is_a_share_of_the_image(hri):
    human = DerivedHuman(make_human())  # box 500 100 800 700
    message = rep155._roi_message(human, Header(frame_id="cam"), (1000, 1000))
    assert (message.xmin, message.ymin, message.xmax, message.ymax) == (0.5, 0.1, 0.8, 0.7)
    assert message.header.frame_id == "cam"
    assert 0.0 <= message.c <= 1.0


def test_the_skeleton_has_18_points_within_the_image(hri):
    message = rep155._skeleton_message(DerivedHuman(make_human()), Header(), (1280, 720))
    assert len(message.skeleton) == 18
    assert all(0.0 <= value <= 1.0 for p in message.skeleton for value in (p.x, p.y, p.c))
