"""IMU and images played over DDS with every fault: said, counted, survived, and people stay."""

from __future__ import annotations

import numpy as np
import pytest
from imu_rig import ImuRig, both, forces, later, rates

pytestmark = pytest.mark.ros


@pytest.fixture
def rig(rclpy_session):
    """Makes a running tracker: ``with rig(parameters) as r``."""
    return ImuRig


def started(r, seconds=1.0):
    """Play a good IMU at first; returns who is there."""
    r.activate()
    r.play(seconds)
    assert r.mode == "imu"
    assert len(r.ids) == 1
    return r.ids


def counter(r, name):
    return r.pipeline.counters[f"inertial.{name}"]


def test_a_good_imu_shows_no_fault_and_its_filter_in_diagnostics(rig):
    with rig() as r:
        started(r, 3.0)
        assert r.pipeline.imu_watch.faults == ()
        r.wait(lambda: "roll_deg" in r.motion_diagnostics()[1])
        message, values = r.motion_diagnostics()
        assert message == "imu"
        assert values["faults"] == "none"
        assert values["background_corrects"] == "true"
        assert abs(float(values["roll_deg"])) < 15.0
        assert len(values["gyroscope_bias_rad_s"].split(",")) == 3
        assert "calibration" in values


def test_a_wrong_frame_id_is_said_and_the_camera_counts_as_still(rig):
    with rig({"imu.extrinsics": "tf"}) as r:
        lines = r.log_lines()
        r.activate()
        r.play(1.0)
        r.wait_for_count("imu_transform_missing")
        assert r.mode == "static"
        assert len(r.ids) == 1
        r.wait(lambda: any("'imu'" in line and "topic imu" in line for line in lines))


def test_rates_in_degrees_are_said_with_the_parameter_that_mends_them(rig):
    with rig() as r:
        people = started(r)
        lines = r.log_lines()
        r.play(2.5, rates(np.degrees))
        assert "imu.angular_velocity_unit" in r.wait_for_fault("imu_rate_in_degrees")
        r.wait(lambda: any("rate_in_degrees" in line for line in lines))
        assert sum("rate_in_degrees" in line for line in lines) == 1
        assert counter(r, "distrusted_samples") > 150  # within half a second
        assert "imu" not in r.modes[-15:]
        assert r.modes[-20:].count("visual") > 10
        assert r.ids == people


def test_rates_in_degrees_are_right_with_the_parameter(rig):
    with rig({"imu.angular_velocity_unit": "deg/s", "imu.linear_acceleration_unit": "g"}) as r:
        r.activate()
        driver = rates(np.degrees)
        r.play(2.5, lambda s: forces(lambda a: a / 9.80665)(driver(s)))
        assert r.pipeline.imu_watch.faults == ()
        assert r.mode == "imu"
        assert r.node._worker.last_result.camera.gravity_known


def test_accelerations_in_g_are_said_with_the_parameter_that_mends_them(rig):
    with rig() as r:
        people = started(r)
        r.play(3.3, forces(lambda a: a / 9.80665))
        assert "imu.linear_acceleration_unit" in r.wait_for_fault("imu_acceleration_in_g")
        assert r.mode == "imu"
        assert r.ids == people


def test_turned_axes_are_said_with_the_mounting_that_fits(rig):
    turn = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    with rig() as r:
        r.activate()
        r.play(3.0, both(lambda v: turn.T @ v))
        message = r.wait_for_fault("imu_axes_turned")
        assert "120 deg" in message
        assert "imu.rotation_camera_imu" in message
        assert len(r.ids) == 1


def test_flipped_gravity_is_said_by_people_who_stand(rig):
    with rig() as r:
        r.activate()
        r.play(5.5, forces(lambda a: -a))
        assert "people who stand" in r.wait_for_fault("imu_gravity_against_people")
        assert len(r.ids) == 1


def test_a_stuck_sensor_is_left_out_until_it_lives(rig):
    frozen = []

    def freeze(sample):
        frozen.append(sample)
        return later(sample.stamp_s - frozen[0].stamp_s)(frozen[0])

    with rig() as r:
        people = started(r)
        r.play(1.5, freeze)
        r.wait_for_fault("imu_gyroscope_stuck")
        assert counter(r, "stuck_samples") > 50
        assert r.mode == "visual"
        r.play(1.0)
        assert r.mode == "imu"
        assert r.pipeline.imu_watch.faults == ()
        assert r.ids == people


def test_saturation_is_said_and_the_sensor_stays_in_use(rig):
    with rig({"imu.gyroscope_range": 0.4}) as r:
        people = started(r, 0.5)
        r.play(1.0, rates(lambda w: np.clip(w, -0.4, 0.4)))
        r.wait_for_fault("imu_gyroscope_saturated")
        assert counter(r, "saturated_samples") > 0
        assert r.mode == "imu"
        assert r.ids == people


def test_a_gap_is_bridged_by_the_background_and_counted(rig):
    with rig() as r:
        people = started(r)
        r.play(1.0, imu=False)
        assert r.mode == "visual"
        r.play(0.5)
        r.wait_for_count("inertial.imu_gaps")
        assert r.mode == "imu"
        assert r.ids == people


def test_a_burst_is_counted_and_its_turns_are_caught_up(rig):
    with rig({"imu.wait": 0.0}) as r:
        people = started(r)
        before = r.node._inputs.clocks.imu.bursts  # its first samples wait for its first image
        r.wait_for_count("imu_bursts", before)
        lines = r.log_lines()
        r.play(0.8, hold_s=0.6)
        assert r.node._inputs.clocks.imu.bursts == before + 1
        r.wait_for_count("imu_bursts", before + 1)
        r.wait(lambda: any("imu_bursts" in line for line in lines))
        r.play(0.5)
        assert r.mode == "imu"
        assert r.ids == people


@pytest.mark.parametrize("jump_s", [1000.0, -1000.0])
def test_a_jump_of_the_imus_clock_alone_is_said_and_left_out_until_it_fits(rig, jump_s):
    with rig() as r:
        people = started(r)
        r.play(1.0, later(jump_s))
        r.wait_for_count("imu_clock_jumps")
        r.wait_for_count("imu_clock_apart")
        r.wait_for_count("imu_clock_dropped", 50)
        assert r.mode == "visual"
        assert r.ids == people
        r.play(1.0)
        assert r.mode == "imu"
        assert r.ids == people


@pytest.mark.parametrize("jump_s", [500.0, -500.0])
def test_clocks_that_are_set_together_start_anew_and_go_on(rig, jump_s):
    with rig() as r:
        started(r)
        r.play(1.5, later(jump_s), image_offset_s=jump_s)
        assert r.node._inputs.clocks.apart_s == 0.0
        assert r.node._inputs.clocks.images.jumps == 1
        assert r.mode == "imu"
        assert len(r.ids) == 1
        if jump_s < 0.0:
            r.wait_for_count("clock_resets")
