"""Parts of the online smoother: places in time, the common ground, capsules, outlooks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from stream_cases import image_of, stream_of
from track_cases import UPRIGHT, person

from humor_ros.body import SMPL_JOINT_NAMES, BodyModel, stature
from humor_ros.humor import HumorNetwork
from humor_ros.humor.capsules import BodyCapsules
from humor_ros.humor.common_ground import CommonGround, ground_plane
from humor_ros.humor.forecast import ForecastConfig
from humor_ros.humor.frame_clock import FrameClock
from humor_ros.humor.newest_motion import NewestMotion, SolvedEnd, newest_motion, newest_state
from humor_ros.humor.online_person import OnlinePerson
from humor_ros.humor.outlook import Outlook, OutlookConfig
from humor_ros.humor.path_network import LAGS
from humor_ros.humor.window_body import SolverBody
from humor_ros.humor.window_config import WindowConfig

QUICK = OutlookConfig(0.5, 0.1, ForecastConfig(samples=3))


def places(stamps: np.ndarray) -> list[float]:
    clock = FrameClock()
    return [clock.place(float(stamp)) for stamp in stamps]


def test_images_of_30_hz_stand_on_frames_whatever_their_jitter() -> None:
    jitter = np.random.default_rng(0).uniform(-0.002, 0.002, 60)
    assert places(50.0 + np.arange(60) / 30.0 + jitter) == list(range(60))


def test_missing_images_leave_their_frames_out() -> None:
    frames = np.array([0, 1, 2, 5, 6, 9, 10])
    assert places(frames / 30.0) == frames.tolist()


def test_a_rate_a_little_off_is_followed() -> None:
    assert places(np.arange(300) / 29.97) == list(range(300))


@pytest.mark.parametrize("rate", [20.0, 25.0, 45.0])
def test_images_of_another_rate_stand_between_frames(rate: float) -> None:
    found = np.array(places(np.arange(90) / rate))
    steps = np.diff(found)[20:]
    assert steps == pytest.approx(np.full(len(steps), 30.0 / rate), abs=1e-6)
    assert (np.diff(found) > 0).all()


def test_a_stamp_that_is_not_later_has_no_place() -> None:
    clock = FrameClock()
    clock.place(1.0)
    with pytest.raises(ValueError, match="later"):
        clock.place(1.0)


def test_the_common_ground_weighs_people_by_their_frames() -> None:
    ground = CommonGround()
    assert ground.mean() is None
    ground.see("a", torch.tensor([0.0, 0.0, 0.0]), 30)
    ground.see("b", torch.tensor([0.4, 0.0, 0.0]), 90)
    both = ground.mean()
    assert both is not None
    assert float(both[0]) == pytest.approx(0.3)
    alone = ground.mean(without="b")
    assert alone is not None
    assert float(alone[0]) == 0.0
    assert ground.people == 2


def test_people_who_are_gone_leave_their_ground() -> None:
    ground = CommonGround()
    ground.see("a", torch.tensor([0.1, 0.0, 0.0]), 30)
    ground.see("b", torch.tensor([0.3, 0.0, 0.0]), 30)
    for name in ("a", "b", "nobody"):
        ground.leave(name)
    left = ground.mean()
    assert left is not None
    assert float(left[0]) == pytest.approx(0.2)
    assert (ground.people, ground.frames) == (2, 60)


def test_a_ground_that_is_not_finite_is_no_ground() -> None:
    ground = CommonGround()
    ground.see("a", torch.tensor([float("nan"), 0.0, 0.0]), 30)
    assert ground.mean() is None


def test_common_ground_is_surer_than_a_first_guess() -> None:
    config = WindowConfig()
    assert float(CommonGround.information(config)[0]) > 1.0 / config.weights.ground_height**2
    plane = ground_plane(torch.tensor([0.2, 0.0, 0.0]))
    assert plane.tolist() == pytest.approx([0.0, 0.0, 1.0, 0.2])


def test_capsules_enclose_the_posed_body(free_body: BodyModel) -> None:
    betas = np.zeros(10)
    capsules = BodyCapsules(free_body, betas)
    rotations = np.tile(np.eye(3), (1, 24, 1, 1))
    rotations[:, 0] = UPRIGHT
    posed = capsules.placed(rotations, np.array([[0.0, 0.0, 1.0]]))
    output = free_body(torch.zeros(1, 10), torch.as_tensor(rotations).float(), vertices=True)
    shift = posed.joints[0, 0] - output.joints[0, 0].numpy()
    np.testing.assert_allclose(posed.joints[0], output.joints[0].numpy() + shift, atol=1e-5)
    assert output.vertices is not None
    skin = output.vertices[0].numpy() + shift
    axis = posed.ends[0] - posed.starts[0]
    share = np.einsum("vcd,cd->vc", skin[:, None] - posed.starts[0], axis)
    share = np.clip(share / np.maximum((axis**2).sum(-1), 1e-12), 0.0, 1.0)
    nearest = posed.starts[0] + share[..., None] * axis
    outside = np.linalg.norm(skin[:, None] - nearest, axis=-1) - capsules.radii
    assert (outside.min(axis=1) < 0.02).mean() > 0.9


def test_capsules_follow_the_joints_and_keep_their_length(free_body: BodyModel) -> None:
    capsules = BodyCapsules(free_body, np.zeros(10))
    rotations = np.tile(np.eye(3), (2, 24, 1, 1))
    rotations[1, 18] = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    posed = capsules.placed(rotations, np.zeros((2, 3)))
    elbow = capsules.names.index("left_elbow")
    joint = SMPL_JOINT_NAMES.index("left_elbow")
    np.testing.assert_allclose(posed.starts[:, elbow], posed.joints[:, joint], atol=1e-9)
    lengths = np.linalg.norm(posed.ends - posed.starts, axis=-1)
    np.testing.assert_allclose(lengths[0], lengths[1], atol=1e-9)
    assert not np.allclose(posed.ends[0, elbow], posed.ends[1, elbow])
    assert capsules.fits(np.full(10, 0.01))
    assert not capsules.fits(np.full(10, 0.3))
    assert 1.2 < stature(free_body.arrays, np.zeros(10)) < 2.2


def standing(free_body: BodyModel, count: int = 8, speed: float = 0.0) -> NewestMotion:
    """Somebody who stands, or glides along x."""
    rows = person(free_body, count, noise=0.0)
    rows["root_position_world"][:, 0] = speed * rows["stamp_s"]
    seen = OnlinePerson(1, "aaaaa")
    for image in stream_of(rows):
        seen.add(image, image.humans[0])
    return newest_motion("aaaaa", seen.rows, None)


def test_the_newest_state_moves_as_the_last_frames_did(free_body: BodyModel) -> None:
    motion = standing(free_body, speed=1.5)
    state = newest_state(motion, SolverBody(free_body), ground_height=0.25)
    assert state.trans_vel[0].item() == pytest.approx(1.5, abs=1e-3)
    assert state.joints[0, 2].item() == pytest.approx(motion.root[-1, 2] - 0.25, abs=1e-5)
    assert float(state.root_orient_vel.norm()) < 1e-3


def test_the_newest_motion_knows_the_path_of_the_last_second(free_body: BodyModel) -> None:
    motion = standing(free_body, 45, speed=1.5)
    assert len(motion.place) == 6
    assert motion.path is not None
    expected = motion.root[-1, 0] - 1.5 * np.array(LAGS) / 30.0
    np.testing.assert_allclose(motion.path[:, 0], expected, atol=1e-3)
    assert np.ptp(motion.path[:, 3]) < 1e-6  # nobody turns
    short = standing(free_body, 8, speed=1.5)
    assert short.path is not None
    np.testing.assert_array_equal(np.isnan(short.path[:, 0]), np.array(LAGS) > 7)


def test_a_single_row_has_no_speed(free_body: BodyModel) -> None:
    state = newest_state(standing(free_body, 1), SolverBody(free_body), 0.0)
    assert not state.joints_vel.any()


def test_the_tracker_goes_on_where_the_solution_ended(free_body: BodyModel) -> None:
    rows = person(free_body, 8, noise=0.0)
    seen = OnlinePerson(1, "aaaaa")
    for image in stream_of(rows):
        seen.add(image, image.humans[0])
    shift = np.array([0.1, -0.2, 0.05])
    root = rows["root_position_world"]
    rotations = np.tile(np.eye(3), (3, 22, 1, 1))
    turn = np.tile(np.eye(3), (22, 1, 1))
    end = SolvedEnd(5, root[3:6] + shift, rotations, np.ones(10), shift, turn)
    motion = newest_motion("aaaaa", seen.rows, end)
    np.testing.assert_allclose(motion.root, root[3:] + shift, atol=1e-9)
    np.testing.assert_array_equal(motion.place, [3, 4, 5, 6, 7])
    assert motion.smoothed
    np.testing.assert_array_equal(motion.betas, np.ones(10))


def test_an_outlook_starts_where_the_person_is(free_body: BodyModel, small: HumorNetwork) -> None:
    outlook = Outlook(small, free_body, QUICK)
    motion = standing(free_body)
    assert outlook.look(motion) is None
    outlook.renew([motion], [0.0])
    told = outlook.look(motion)
    assert told is not None
    np.testing.assert_allclose(told.time_s, [0.1, 0.2, 0.3, 0.4, 0.5])
    assert told.age_s == 0.0
    assert np.linalg.norm(told.root[0] - motion.root[-1]) < 0.5
    assert told.samples.shape == (3, 5, 3)
    assert told.joints.shape == (5, 22, 3)
    np.testing.assert_allclose(told.joints[:, 0], told.root, atol=1e-9)
    assert told.starts.shape == told.ends.shape == (5, len(told.capsules.names), 3)
    assert (np.linalg.eigvalsh(told.covariance) > 0).all()


def test_between_roll_outs_the_last_one_is_read_on_and_moved_to_the_person(
    free_body: BodyModel, small: HumorNetwork
) -> None:
    outlook = Outlook(small, free_body, QUICK)
    first = standing(free_body)
    outlook.renew([first], [0.0])
    before = outlook.look(first)
    moved = np.array([0.3, 0.0, 0.0])
    later = NewestMotion(**(first.__dict__ | {"stamp_s": first.stamp_s + 0.2}))
    later = NewestMotion(**(later.__dict__ | {"root": first.root + moved}))
    after = outlook.look(later)
    assert before is not None
    assert after is not None
    assert after.age_s == pytest.approx(0.2)
    # What lay 0.2 s further ahead is now that much nearer, seen from the new place.
    start = before.root[1]
    np.testing.assert_allclose(after.root[:3] - later.root[-1], before.root[2:5] - start, atol=1e-6)


def test_an_outlook_that_is_too_old_tells_nothing(
    free_body: BodyModel, small: HumorNetwork
) -> None:
    outlook = Outlook(small, free_body, QUICK)
    motion = standing(free_body)
    outlook.renew([motion], [0.0])
    old = NewestMotion(**(motion.__dict__ | {"stamp_s": motion.stamp_s + 5.0}))
    assert outlook.look(old) is None
    outlook.renew([], [])
    assert outlook.look(motion) is None


def test_the_height_of_the_ground_does_not_move_the_person(
    free_body: BodyModel, small: HumorNetwork
) -> None:
    outlook = Outlook(small, free_body, QUICK)
    motion = standing(free_body)
    outlook.renew([motion], [0.0])
    told = outlook.look(motion)
    lifted = NewestMotion(**(motion.__dict__ | {"root": motion.root + np.array([0, 0, 3.0])}))
    outlook = Outlook(small, free_body, QUICK)
    outlook.renew([lifted], [3.0])
    above = outlook.look(lifted)
    assert told is not None
    assert above is not None
    np.testing.assert_allclose(above.root, told.root + np.array([0, 0, 3.0]), atol=1e-4)


@pytest.mark.parametrize("bad", [{"horizon_s": 9.0}, {"step_s": 0.001}, {"step_s": 3.0}])
def test_bad_outlooks_are_named(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        OutlookConfig(**bad)


def test_an_image_without_people_is_whole() -> None:
    assert image_of(1.0).humans == ()
