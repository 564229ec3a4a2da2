"""Topics and parameters of the IMU: separate sensors, attitude for RViz, calibration to copy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from geometry_msgs.msg import Quaternion, Transform, TransformStamped
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import Imu, MagneticField
from std_msgs.msg import Header
from synthetic_people import LEVEL_WORLD_CAMERA, static_motion
from tracker_harness import OUTPUTS

from humor_ros.inertial import Calibration, InertialConfig, InertialState
from humor_ros.inertial.imu_faults import ImuFault, ImuFaultKind
from humor_ros.pipeline import PipelineConfig
from humor_ros.ros.camera_imu import camera_imu_message
from humor_ros.ros.configuration import pipeline_config
from humor_ros.ros.imu_reports import fault_message
from humor_ros.ros.inertial_status import (
    calibration_parameters,
    inertial_facts,
    inertial_status,
)
from humor_ros.ros.parameters import TRACKER_PARAMETERS
from humor_ros.ros.qos import imu_qos
from humor_ros.ros.tf_door import send_static
from humor_ros.ros.time_conversion import seconds_from_stamp, stamp_from_seconds
from humor_ros.types import CameraMotionMode

pytestmark = pytest.mark.ros
PRESETS = sorted((Path(__file__).resolve().parents[2] / "config/imu").glob("*.yaml"))
DEFAULTS = {spec.name: spec.default for spec in TRACKER_PARAMETERS}
TURN = Rotation.from_euler("xyz", [0.1, -0.2, 0.3]).as_matrix()


def state(*, sure=True):
    return InertialState(
        gyroscope_bias=np.array([0.01, -0.02, 0.03]),
        gyroscope_bias_std=np.full(3, 1e-4),
        accelerometer_bias=np.zeros(3),
        acceleration_std=0.1,
        at_rest=False,
        seeing=True,
        time_offset_s=0.02,
        rotation_camera_imu=TURN,
        calibration=Calibration(
            time_offset_s=0.0195,
            time_offset_std_s=0.0008,
            rotation_camera_imu=TURN,
            rotation_std=np.full(3, 0.004),
            gyroscope_bias=np.array([0.01, -0.02, 0.03]),
            turns=300,
            confident_offset=True,
            confident_rotation=sure,
        ),
    )


def test_a_gyroscope_and_an_accelerometer_of_their_own_make_one_imu(harness):
    with harness({"imu.source": "gyro_accel"}) as h:
        gyro = h.peer.create_publisher(Imu, "gyro", imu_qos())
        accel = h.peer.create_publisher(Imu, "accel", imu_qos())
        h.activate()
        h.wait(lambda: gyro.get_subscription_count() and accel.get_subscription_count())
        assert h.imu.get_subscription_count() == 0
        start = h.next_stamp()
        for index in range(60):
            stamp_s = start + index / 200
            header = Header(stamp=stamp_from_seconds(stamp_s), frame_id="cam_gyro")
            message = Imu(header=header)
            message.angular_velocity.y = 0.25
            gyro.publish(message)
            if index % 3 == 0:
                message = Imu(header=Header(stamp=header.stamp, frame_id="cam_accel"))
                message.linear_acceleration.y = -9.8
                message.linear_acceleration.z = index / 200
                accel.publish(message)
        source = h.node._inputs.imu
        h.wait(lambda: source.received == 60 and source.accel.received == 20)
        h.send_image(start + 0.31)
        h.wait(lambda: len(h.pipeline.samples) == 60)
        whole = [s for s in h.pipeline.samples if s.linear_acceleration is not None]
        assert len(whole) == 58  # the last two are newer than every acceleration
        for sample in whole:
            assert sample.linear_acceleration[2] == pytest.approx(sample.stamp_s - start, abs=1e-4)
            assert sample.angular_velocity[1] == 0.25
        h.wait_for_count("accel_received", 20)
        h.wait_for_count("gyro_without_accel", 2)


def test_an_accelerometer_that_says_nothing_is_named(harness):
    with harness({"imu.source": "gyro_accel"}) as h:
        gyro = h.peer.create_publisher(Imu, "gyro", imu_qos())
        h.activate()
        h.wait(lambda: gyro.get_subscription_count() > 0)

        def silent():
            gyro.publish(Imu(header=Header(stamp=stamp_from_seconds(h.next_stamp()))))
            h.track(1)
            return "accel_silent" in h.node._reporter.counters

        h.wait(silent)
        assert h.pipeline.samples[-1].linear_acceleration is None


def test_a_magnetometer_is_turned_into_the_axes_of_the_imu(harness):
    half = 0.5**0.5
    with harness({"imu.extrinsics": "tf", "imu.magnetometer": True}) as h:
        keep = send_static(
            h.peer,
            [
                TransformStamped(
                    header=Header(frame_id=parent),
                    child_frame_id=child,
                    transform=Transform(rotation=Quaternion(z=half, w=half)),
                )
                for parent, child in (("cam", "imu"), ("imu", "mag"))
            ],
        )
        magnetic = h.peer.create_publisher(MagneticField, "magnetic_field", imu_qos())
        h.activate()
        h.wait(lambda: magnetic.get_subscription_count() and h.imu.get_subscription_count())

        def arrived():
            stamp_s = h.next_stamp()
            h.send_imu(stamp_s)
            message = MagneticField(
                header=Header(stamp=stamp_from_seconds(stamp_s), frame_id="mag")
            )
            message.magnetic_field.x = 4e-5
            magnetic.publish(message)
            h.track(1)
            return h.pipeline.inertial.fields

        h.wait(arrived)
        np.testing.assert_allclose(h.pipeline.inertial.fields[-1][1], (0, 4e-5, 0), atol=1e-12)
        assert keep is not None


def test_units_of_the_messages_are_brought_to_si(harness):
    units = {"imu.angular_velocity_unit": "deg/s", "imu.linear_acceleration_unit": "g"}
    with harness(units) as h:
        h.activate()
        h.wait(lambda: h.imu.get_subscription_count() > 0)

        def arrived():
            h.send_imu(h.next_stamp(), rate=(0.0, 0.0, 180.0))
            h.track(1)
            return h.pipeline.samples

        h.wait(arrived)
        np.testing.assert_allclose(h.pipeline.samples[-1].angular_velocity, (0, 0, np.pi))
        np.testing.assert_allclose(
            h.pipeline.samples[-1].linear_acceleration, (0, -9.81 * 9.80665, 0)
        )


def test_the_attitude_of_the_camera_goes_out_with_the_stamp_of_its_image(harness):
    outputs = {**OUTPUTS, "/tracker/camera_imu": Imu}
    with harness(outputs=outputs) as h:
        h.activate()
        h.wait(lambda: h.node.count_subscribers("/tracker/camera_imu") > 0)

        def heard():
            h.track(1)
            return h.received["/tracker/camera_imu"]

        h.wait(heard)
        message = h.received["/tracker/camera_imu"][-1]
        assert message.header.frame_id == "cam"
        stamps = np.array(h.pipeline.stamps)
        assert np.abs(stamps - seconds_from_stamp(message.header.stamp)).min() < 1e-6
        q = message.orientation
        np.testing.assert_allclose(
            Rotation.from_quat((q.x, q.y, q.z, q.w)).as_matrix(), LEVEL_WORLD_CAMERA, atol=1e-9
        )
        assert message.orientation_covariance[0] == pytest.approx(1e-3)
        assert message.linear_acceleration_covariance[0] == -1.0


def test_the_turn_rate_is_given_in_optical_axes_and_only_where_it_was_measured():
    turned = Rotation.from_rotvec([0.01, -0.02, 0.03]).as_matrix()
    still = static_motion(1.0, 0.1)
    moving = type(still)(
        **{
            **vars(still),
            "mode": CameraMotionMode.IMU,
            "rotation_previous_current": turned,
        }
    )
    rate = camera_imu_message(moving, Header()).angular_velocity
    assert (rate.x, rate.y, rate.z) == pytest.approx((0.1, -0.2, 0.3))
    assert camera_imu_message(still, Header()).angular_velocity_covariance[0] == -1.0


def test_the_facts_of_the_filter_name_attitude_biases_and_calibration():
    tilted = LEVEL_WORLD_CAMERA @ Rotation.from_euler("x", -20, degrees=True).as_matrix()
    motion = type(static_motion())(
        **{**vars(static_motion()), "rotation_world_camera": tilted, "mode": CameraMotionMode.IMU}
    )
    facts = inertial_facts(motion, state(), DEFAULTS)
    assert facts["mode"] == "imu"
    assert float(facts["pitch_deg"]) == pytest.approx(-20.0)
    assert float(facts["roll_deg"]) == pytest.approx(0.0, abs=1e-6)
    assert facts["gyroscope_bias_rad_s"] == "0.01000, -0.02000, 0.03000"
    assert facts["time_offset_s"] == "0.0200"
    assert facts["calibration"] == "confident, 300 turns, applied"
    rolled = LEVEL_WORLD_CAMERA @ Rotation.from_euler("z", 30, degrees=True).as_matrix()
    motion = type(motion)(**{**vars(motion), "rotation_world_camera": rolled})
    assert float(inertial_facts(motion, None, DEFAULTS)["roll_deg"]) == pytest.approx(30.0)


def test_calibration_is_told_as_parameters_that_the_node_takes():
    assert calibration_parameters(state(sure=False), DEFAULTS) is None
    text = calibration_parameters(state(), {**DEFAULTS, "imu.time_offset": 0.001})
    given = yaml.safe_load(text)["imu"]
    values = {**DEFAULTS, **{f"imu.{name}": value for name, value in given.items()}}
    for spec in TRACKER_PARAMETERS:
        assert spec.refusal(values[spec.name]) == ""
    config = pipeline_config(values).inertial
    np.testing.assert_allclose(config.rotation_camera_imu, TURN, atol=1e-4)
    assert config.imu_time_offset_s == pytest.approx(0.0205)
    assert config.gyroscope_bias == pytest.approx((0.01, -0.02, 0.03))
    assert config.mounting_std == pytest.approx(0.004)


def test_a_confident_calibration_is_logged_once(harness):
    with harness() as h:
        h.pipeline.inertial.state = state()
        h.activate()
        lines = []
        h.node.get_logger = lambda: type("Log", (), {"info": lambda self, t: lines.append(t)})()
        h.track(2)
        h.wait(lambda: any("rotation_camera_imu" in line for line in lines))
        count = len(h.received["/diagnostics"])
        h.wait(lambda: len(h.received["/diagnostics"]) > count + 3)
        (line,) = (line for line in lines if "self-calibration" in line)
        values = {v.key: v.value for v in h.received["/diagnostics"][-1].status[1].values}
        assert values["calibration_parameters"] in line


def test_a_camera_that_counts_as_still_is_a_warning_where_an_imu_is_expected():
    status = inertial_status("/tracker", {"mode": "static"}, (), True)
    assert status.level == status.WARN
    assert inertial_status("/tracker", {"mode": "static"}, (), False).level == status.OK
    assert inertial_status("/tracker", {"mode": "imu"}, (), True).level == status.OK


@pytest.mark.parametrize("kind", ImuFaultKind)
def test_every_fault_is_told_with_topic_and_remedy(kind):
    message = fault_message(ImuFault(kind, 1.5, TURN))
    assert message.startswith("topic imu: ")
    assert len(message) > 80
    assert "{" not in message
    status = inertial_status("/tracker", {"mode": "imu"}, [ImuFault(kind, 1.5)], True)
    assert status.level == status.WARN
    assert {v.key: v.value for v in status.values}["faults"] == f"imu_{kind.value}"


def test_noise_and_switches_reach_the_pipeline():
    given = {
        "imu.gyroscope_noise_density": 1e-3,
        "imu.gyroscope_random_walk": 2e-3,
        "imu.gyroscope_bias_stability": 3e-3,
        "imu.accelerometer_noise_density": 4e-3,
        "imu.accelerometer_random_walk": 5e-3,
        "imu.accelerometer_bias_stability": 6e-3,
        "imu.mounting_std": 7e-3,
        "imu.time_offset_std": 8e-3,
        "imu.self_calibration": False,
        "imu.gyroscope_bias": (0.1, 0.2, 0.3),
        "imu.gyroscope_range": 17.0,
        "imu.accelerometer_range": 39.0,
        "imu.fault_detection": False,
        "imu.magnetic_heading_std": 0.2,
        "imu.max_correction_rate": 0.5,
        "camera_pose.max_speed": 2.0,
        "camera_pose.max_rate": 3.0,
        "camera_pose.common_ground": False,
        "background.enabled": False,
        "background.interval": 0.2,
        "background.points": 50,
        "background.width": 320,
        "background.budget": 0.02,
    }
    config = pipeline_config({**DEFAULTS, **given})
    inertial = config.inertial
    assert inertial.gyroscope_noise_density == 1e-3
    assert inertial.gyroscope_random_walk == 2e-3
    assert inertial.gyroscope_bias_stability == 3e-3
    assert inertial.accelerometer_noise_density == 4e-3
    assert inertial.accelerometer_random_walk == 5e-3
    assert inertial.accelerometer_bias_stability == 6e-3
    assert (inertial.mounting_std, inertial.time_offset_std_s) == (7e-3, 8e-3)
    assert not inertial.self_calibration
    assert (inertial.magnetic_heading_std, inertial.max_correction_rate) == (0.2, 0.5)
    assert (inertial.max_pose_speed, inertial.max_pose_rate) == (2.0, 3.0)
    assert not config.stream.common_ground
    assert inertial.gyroscope_bias == (0.1, 0.2, 0.3)
    assert not config.imu_watch.enabled
    assert (config.imu_watch.gyroscope_range, config.imu_watch.accelerometer_range) == (17.0, 39.0)
    assert not config.background.enabled
    assert (config.background.interval_s, config.background.points) == (0.2, 50)
    assert (config.background.width, config.background.budget) == (320, 0.02)


def test_the_defaults_are_those_of_the_inertial_room():
    made, own = pipeline_config(DEFAULTS), PipelineConfig()
    assert made.background == own.background
    assert made.imu_watch == own.imu_watch
    told = {name: value for name, value in vars(made.inertial).items() if name[0] != "_"}
    config = vars(InertialConfig())
    for name, value in told.items():
        if name != "rotation_camera_imu":  # TF tells it
            assert value == config[name], name


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_preset_sets_what_there_is_and_names_the_source_of_each_number(path):
    text = path.read_text(encoding="utf-8")
    given = yaml.safe_load(text)["/**"]["ros__parameters"]["imu"]
    specs = {spec.name: spec for spec in TRACKER_PARAMETERS}
    for name, value in given.items():
        spec = specs[f"imu.{name}"]
        assert type(value) is type(spec.default), name
        assert spec.refusal(value) == "", name
    pipeline_config({**DEFAULTS, **{f"imu.{name}": value for name, value in given.items()}})
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if ":" in line and not line.strip().startswith("#") and not line.rstrip().endswith(":"):
            source = lines[number - 1] + lines[number - 2]
            assert "[1]" in source or "[2]" in source or "[3]" in source or "Assumed" in source
