"""An IMU that is stuck, saturated, in wrong units or axes: each is found, named and kept out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from humor_ros.inertial import (
    BackgroundPoints,
    CameraMotionEstimator,
    ImuSimulation,
    InertialConfig,
    simulate_imu,
    static_camera,
)
from humor_ros.inertial.imu_faults import ImuFaultKind
from humor_ros.inertial.imu_watch import WATCH_COUNTERS, ImuWatch, ImuWatchConfig
from humor_ros.inertial.so3 import exp_so3
from humor_ros.types import ImuSample

RIGHT = np.eye(3)
#: A real gyroscope and accelerometer; nothing without noise.
NOISY = ImuSimulation(
    gyroscope_noise_density=2.4e-4,
    gyroscope_bias=(0.01, -0.006, 0.004),
    accelerometer_noise_density=1.5e-3,
    seed=1,
)
SCENE = np.random.default_rng(7).normal(size=(1500, 3))
SCENE /= np.linalg.norm(SCENE, axis=1)[:, None]


def background(attitude, stamp_s, random):
    """What a camera with a wide view sees of far points, half a pixel off."""
    local = SCENE @ attitude(stamp_s)
    seen = np.flatnonzero(local[:, 2] > 0.75)
    rays = local[seen, :2] / local[seen, 2:] + random.normal(size=(len(seen), 2)) * 6e-4
    return BackgroundPoints(stamp_s, seen, rays)


def play(samples, attitude=None, watch=None, mounting=RIGHT, people=()):
    """Feed samples, a look at the background each 0.1 s; what was admitted comes back."""
    watch = watch or ImuWatch(InertialConfig())
    random = np.random.default_rng(3)
    admitted, next_look_s = [], None
    for sample in samples:
        used = watch.admit(sample)
        if used is not None:
            admitted.append(used)
        if next_look_s is None:
            next_look_s = sample.stamp_s + 0.2
        if sample.stamp_s >= next_look_s + 0.005:
            points = background(attitude, next_look_s, random) if attitude else None
            watch.look(points, mounting, people)
            next_look_s += 0.1
    return watch, admitted


def kinds(watch):
    return {fault.kind for fault in watch.faults}


def changed(samples, rate=None, force=None):
    rate, force = rate or (lambda w: w), force or (lambda a: a)
    return [
        replace(
            s, angular_velocity=rate(s.angular_velocity),
            linear_acceleration=force(s.linear_acceleration),
        )
        for s in samples
    ]  # fmt: skip


@pytest.fixture(scope="module")
def hand_held(rig):
    attitude = rig.hand_held(5, 0.6)
    return attitude, list(simulate_imu(attitude, 0.0, 5.0, NOISY))


def test_a_good_imu_passes_untouched(hand_held):
    attitude, samples = hand_held
    watch, admitted = play(samples, attitude, people=[np.array([0.0, -1.0, 0.0])])
    assert watch.faults == ()
    assert len(admitted) == len(samples)
    assert all(a is s for a, s in zip(admitted, samples, strict=True))
    assert dict(watch.counters) == dict.fromkeys(WATCH_COUNTERS, 0)


def test_a_good_imu_at_rest_and_without_noise_passes():
    for simulation in (NOISY, ImuSimulation()):
        samples = list(simulate_imu(static_camera(0.3), 0.0, 3.0, simulation))
        watch, admitted = play(samples, static_camera(0.3))
        assert watch.faults == ()
        assert len(admitted) == len(samples)


def test_a_camera_that_turns_steadily_without_noise_is_not_stuck(rig):
    samples = list(simulate_imu(rig.panning(0.8, 0.0), 0.0, 2.0))
    _, admitted = play([replace(s, angular_velocity=np.array([0, -0.8, 0])) for s in samples])
    assert len(admitted) == len(samples)


@pytest.mark.parametrize("seeing", [True, False])
def test_rates_in_degrees_are_found_by_the_camera_and_by_gravity(hand_held, seeing):
    attitude, samples = hand_held
    watch, admitted = play(changed(samples, np.degrees), attitude if seeing else None)
    assert kinds(watch) == {ImuFaultKind.RATE_IN_DEGREES}
    assert watch.rates_distrusted
    # What moves much is found at once by the camera, by gravity after three seconds.
    assert len(admitted) < (0.2 if seeing else 0.75) * len(samples)
    assert watch.counters["distrusted_samples"] == len(samples) - len(admitted)


def test_rates_in_degrees_are_found_at_rest_by_the_bias_alone():
    samples = simulate_imu(static_camera(), 0.0, 5.0, replace(NOISY, gyroscope_bias=(0.02, 0, 0)))
    watch, _ = play(changed(samples, np.degrees), static_camera())
    assert ImuFaultKind.RATE_IN_DEGREES in kinds(watch) or ImuFaultKind.RATE_SCALE in kinds(watch)


def test_another_scale_of_the_rates_is_told_with_its_factor(hand_held):
    attitude, samples = hand_held
    watch, _ = play(changed(samples, lambda w: 0.1 * w), attitude)
    (fault,) = watch.faults
    assert fault.kind is ImuFaultKind.RATE_SCALE
    assert fault.value == pytest.approx(0.1, rel=0.3)


def test_accelerations_in_g_are_found_and_their_rates_are_used(hand_held):
    attitude, samples = hand_held
    watch, admitted = play(changed(samples, force=lambda a: a / 9.80665), attitude)
    (fault,) = watch.faults
    assert fault.kind is ImuFaultKind.ACCELERATION_IN_G
    assert fault.value == pytest.approx(1 / 9.80665, rel=0.02)
    assert len(admitted) == len(samples)


def test_accelerations_without_gravity_are_found(hand_held):
    _, samples = hand_held
    random = np.random.default_rng(0)
    watch, _ = play(changed(samples, force=lambda a: random.normal(size=3)))
    assert kinds(watch) == {ImuFaultKind.ACCELERATION_WITHOUT_GRAVITY}


@pytest.mark.parametrize("factor", [2.0, 102.0])
def test_accelerations_of_another_scale_are_found(hand_held, factor):
    _, samples = hand_held
    watch, _ = play(changed(samples, force=lambda a: factor * a))
    assert ImuFaultKind.ACCELERATION_SCALE in kinds(watch)


def test_hard_shaking_is_no_scale(hand_held):
    _, samples = hand_held
    random = np.random.default_rng(0)
    watch, _ = play(changed(samples, force=lambda a: a + random.normal(size=3) * 12.0))
    assert not kinds(watch) & {ImuFaultKind.ACCELERATION_SCALE, ImuFaultKind.ACCELERATION_IN_G}


def test_turned_axes_are_found_with_the_mounting_that_fits(hand_held):
    attitude, samples = hand_held
    mounting = exp_so3(np.array([0.0, 0.0, math.pi / 2])) @ exp_so3(np.array([math.pi / 2, 0, 0]))
    turned = changed(samples, lambda w: mounting.T @ w, lambda a: mounting.T @ a)
    watch, admitted = play(turned, attitude)
    (fault,) = watch.faults
    assert fault.kind is ImuFaultKind.AXES_TURNED
    np.testing.assert_allclose(fault.rotation_camera_imu, mounting, atol=0.1)
    assert len(admitted) < len(samples)
    right, all_of_it = play(turned, attitude, mounting=mounting)
    assert right.faults == ()
    assert len(all_of_it) == len(samples)


@pytest.mark.parametrize("signs", [(1, -1, 1), (-1, -1, -1)])
def test_axes_of_wrong_sign_are_told_from_a_wrong_mounting(hand_held, signs):
    attitude, samples = hand_held
    watch, _ = play(changed(samples, lambda w: w * signs, lambda a: a * signs), attitude)
    assert ImuFaultKind.AXES_MIRRORED in kinds(watch)


def test_flipped_gravity_is_found_by_people_who_stand(hand_held):
    _, samples = hand_held
    up = [np.array([0.0, -1.0, 0.0])]
    watch, admitted = play(changed(samples, force=lambda a: -a), people=up)
    (fault,) = watch.faults
    assert fault.kind is ImuFaultKind.GRAVITY_AGAINST_PEOPLE
    assert fault.value > math.radians(150.0)
    assert len(admitted) == len(samples)


def test_people_who_lie_are_no_fault(hand_held):
    _, samples = hand_held
    watch, _ = play(samples, people=[np.array([1.0, 0.0, 0.0])])
    assert watch.faults == ()


def test_a_stuck_imu_is_left_out_until_it_lives_again(hand_held):
    attitude, samples = hand_held
    frozen = samples[400]
    stuck = [
        replace(frozen, stamp_s=s.stamp_s) if 400 <= index < 600 else s
        for index, s in enumerate(samples)
    ]
    watch = ImuWatch(InertialConfig())
    _, admitted = play(stuck[:600], attitude, watch)
    assert kinds(watch) == {ImuFaultKind.GYROSCOPE_STUCK, ImuFaultKind.ACCELEROMETER_STUCK}
    assert len(admitted) == pytest.approx(450, abs=5)
    _, later = play(stuck[600:], attitude, watch)
    assert len(later) == 401
    assert watch.faults == ()
    assert watch.counters["fault_gyroscope_stuck"] == 1


def test_a_dead_sensor_is_stuck():
    watch, admitted = play(ImuSample(i / 200, np.zeros(3), np.zeros(3)) for i in range(300))
    assert ImuFaultKind.GYROSCOPE_STUCK in kinds(watch)
    assert len(admitted) < 60


def test_a_stuck_accelerometer_leaves_the_rates_in_use(hand_held):
    attitude, samples = hand_held
    first = samples[0].linear_acceleration
    watch, admitted = play(changed(samples, force=lambda a: first), attitude)
    assert kinds(watch) == {ImuFaultKind.ACCELEROMETER_STUCK}
    assert len(admitted) == len(samples)
    assert admitted[-1].linear_acceleration is None


def test_a_repeated_accelerometer_is_not_stuck(hand_held):
    """62.5 Hz copied to every sample of a gyroscope at 400 Hz."""
    _, samples = hand_held
    copied = [
        replace(s, linear_acceleration=samples[index - index % 7].linear_acceleration)
        for index, s in enumerate(samples)
    ]
    assert play(copied)[0].faults == ()


@pytest.mark.parametrize("known", [True, False])
def test_saturation_is_found_with_and_without_a_known_scale(rig, known):
    attitude = rig.hand_held(2, 3.0)
    scale = 4.0
    samples = list(simulate_imu(attitude, 0.0, 2.0, NOISY))
    clipped = changed(samples, lambda w: np.clip(w, -scale, scale))
    reached = sum(bool((np.abs(s.angular_velocity) >= scale).any()) for s in clipped)
    watch = ImuWatch(InertialConfig(), ImuWatchConfig(gyroscope_range=scale if known else 0.0))
    _, admitted = play(clipped, watch=watch)
    assert len(admitted) == len(samples)
    assert watch.counters["fault_gyroscope_saturated"] >= 1
    least = reached if known else 0.5 * reached
    assert least <= watch.counters["saturated_samples"] <= reached


def test_a_saturated_gyroscope_makes_the_attitude_less_certain():
    watch = ImuWatch(InertialConfig(), ImuWatchConfig(gyroscope_range=4.0))
    estimator = CameraMotionEstimator()
    for sample in simulate_imu(static_camera(), 0.0, 1.0, NOISY):
        estimator.add_imu(sample)
        watch.admit(sample)
    assert watch.take_saturated() == (0.0, 0.0)
    before = estimator.motion_at(1.0).rotation_covariance
    for index in range(21):
        watch.admit(ImuSample(1.005 + index / 200, np.array([0.0, 4.0, 0.1 * index])))
    saturated_s, rate_std = watch.take_saturated()
    assert saturated_s == pytest.approx(0.105)
    assert rate_std == pytest.approx(1.2)
    estimator.doubt_turn(saturated_s, rate_std)
    after = estimator.motion_at(1.0).rotation_covariance
    assert (np.diag(after) > np.diag(before) + 0.1**2).all()
    assert watch.take_saturated() == (0.0, 0.0)


def test_a_saturated_acceleration_is_not_used_for_tilt(hand_held):
    _, samples = hand_held
    hit = changed(samples[:20], force=lambda a: np.array([0.0, -39.2, 1.0]))
    watch = ImuWatch(InertialConfig(), ImuWatchConfig(accelerometer_range=39.2))
    _, admitted = play(hit, watch=watch)
    assert [s.linear_acceleration for s in admitted] == [None] * 20
    assert kinds(watch) == {ImuFaultKind.ACCELEROMETER_SATURATED}


def test_a_fault_that_is_mended_is_gone(hand_held):
    attitude, samples = hand_held
    watch, _ = play(changed(samples, np.degrees), attitude)
    assert watch.faults
    later = [replace(s, stamp_s=s.stamp_s + 5.005) for s in samples]
    _, admitted = play(later, lambda t: attitude(t - 5.005), watch)
    assert watch.faults == ()
    assert admitted


def test_a_driver_that_changes_its_unit_while_it_runs_is_found(hand_held):
    attitude, samples = hand_held
    watch, _ = play(samples, attitude)
    assert watch.faults == ()
    later = [replace(s, stamp_s=s.stamp_s + 5.005) for s in changed(samples, np.degrees)]
    _, admitted = play(later, lambda t: attitude(t - 5.005), watch)
    assert kinds(watch) == {ImuFaultKind.RATE_IN_DEGREES}
    assert len(admitted) < 0.8 * len(samples)


def test_nothing_is_looked_for_when_switched_off(hand_held):
    _, samples = hand_held
    watch = ImuWatch(InertialConfig(), ImuWatchConfig(enabled=False))
    _, admitted = play(changed(samples, np.degrees), watch=watch)
    assert len(admitted) == len(samples)
    assert watch.faults == ()


def test_a_negative_range_is_refused_by_name():
    with pytest.raises(ValueError, match="gyroscope_range"):
        ImuWatchConfig(gyroscope_range=-1.0)


def test_the_filter_keeps_its_world_while_the_sensor_is_stuck(rig):
    """Half a second of a rate that is not there: at most the first quarter of it is believed."""
    samples = list(simulate_imu(static_camera(), 0.0, 4.0, NOISY))
    wrong = np.array([0.0, -1.0, 0.02])
    stuck = [
        replace(s, angular_velocity=wrong, linear_acceleration=samples[0].linear_acceleration)
        if 2.0 <= s.stamp_s < 3.0 else s
        for s in samples
    ]  # fmt: skip
    ends = []
    for watch in (ImuWatch(InertialConfig()), None):
        estimator, queue = CameraMotionEstimator(), list(stuck)
        for stamp_s in np.arange(0.5, 3.9, 1 / 30):
            while queue and queue[0].stamp_s <= stamp_s + 0.01:
                sample = queue.pop(0)
                used = sample if watch is None else watch.admit(sample)
                if used is not None:
                    estimator.add_imu(used)
            motion = estimator.motion_at(float(stamp_s))
        ends.append(rig.angle(motion.rotation_world_camera, static_camera()(0.0)))
    assert ends[0] < 0.45 < 0.8 < ends[1]
