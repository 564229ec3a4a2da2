"""Starts the tracker, and smoother and RViz when asked; works on Humble, Jazzy and Kilted.

Tracker and smoother are lifecycle nodes in processes of their own. They are configured and
activated through launch events here, because the keyword ``autostart`` of LifecycleNode came after
Humble.

    ros2 launch humor_ros tracking.launch.py image:=/cam/image_raw camera_info:=/cam/camera_info
    ros2 launch humor_ros tracking.launch.py --show-args
"""

from __future__ import annotations

import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.conditions import IfCondition
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from launch_ros.parameter_descriptions import ParameterValue
from lifecycle_msgs.msg import Transition

#: Launch arguments that stand for one string parameter of the tracker; empty leaves it to the file.
_PARAMETER_OF_ARGUMENT = {
    "body": "body_path",
    "weights": "weights_path",
    "image_encoder": "features.encoder_path",
    "world_mode": "world_mode",
    "imu_source": "imu.source",
}

#: Cameras whose IMU's noise config/imu/ holds.
_IMU_PRESETS = ("realsense_d435i", "realsense_d455", "zed_2i", "oak_d_bno085", "oak_d_bmi270")

#: Fast DDS reads the second name up to Jazzy, and the first since.
_PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
_DISTROS_WITH_OLD_VARIABLE = ("humble", "iron", "jazzy")

#: Topics of our nodes that config/tracking.rviz shows, as they are named without a namespace.
_SHOWN_TOPICS = (
    "/tracker/markers",
    "/tracker/image_overlay",
    "/smoother/markers",
    "/smoother/forecast_markers",
)


def _arguments(share: str) -> list[DeclareLaunchArgument]:
    config = os.path.join(share, "config")
    switch = ["true", "false"]
    return [
        DeclareLaunchArgument(
            "image",
            default_value="image",
            description="Topic of the camera's images (sensor_msgs/Image); with compressed:=true "
            "the base name, to which /compressed is added.",
        ),
        DeclareLaunchArgument(
            "camera_info",
            default_value="camera_info",
            description="Topic of the camera's calibration (sensor_msgs/CameraInfo).",
        ),
        DeclareLaunchArgument(
            "imu",
            default_value="imu",
            description="Topic of an IMU fixed to the camera (sensor_msgs/Imu). Optional: without "
            "messages there, the camera's motion comes from odometry or TF, else it is static.",
        ),
        DeclareLaunchArgument(
            "gyro",
            default_value="gyro",
            description="Topic of a gyroscope apart from its accelerometer (sensor_msgs/Imu), as "
            "RealSense's gyro/sample; read with imu_source:=gyro_accel in place of imu.",
        ),
        DeclareLaunchArgument(
            "accel",
            default_value="accel",
            description="Topic of an accelerometer apart from its gyroscope (sensor_msgs/Imu), as "
            "RealSense's accel/sample; read with imu_source:=gyro_accel in place of imu.",
        ),
        DeclareLaunchArgument(
            "magnetic_field",
            default_value="magnetic_field",
            description="Topic of a magnetometer fixed to the IMU (sensor_msgs/MagneticField), "
            "read where the parameter imu.magnetometer asks for it.",
        ),
        DeclareLaunchArgument(
            "imu_source",
            default_value="",
            choices=["", "imu", "gyro_accel"],
            description="Whether the IMU comes on the topic imu, or on gyro and accel; empty: as "
            "in params_file, where imu is the default.",
        ),
        DeclareLaunchArgument(
            "imu_preset",
            default_value="",
            choices=["", *_IMU_PRESETS],
            description="Noise and ranges of the IMU in a known camera, from config/imu/; wins "
            "over params_file. Empty: as in params_file, where a consumer part is assumed.",
        ),
        DeclareLaunchArgument(
            "odom",
            default_value="odom",
            description="Topic of the odometry of the camera's robot (nav_msgs/Odometry), read "
            "where the parameter camera_pose.source asks for it.",
        ),
        DeclareLaunchArgument(
            "compressed",
            default_value="false",
            choices=switch,
            description="Subscribe to sensor_msgs/CompressedImage on <image>/compressed.",
        ),
        DeclareLaunchArgument(
            "params_file",
            default_value=os.path.join(config, "tracking.yaml"),
            description="YAML file of parameters. Arguments that are given here win over it.",
        ),
        DeclareLaunchArgument(
            "smoother",
            default_value="false",
            choices=switch,
            description="Start the smoother beside the tracker: HuMoR's refined motion, some "
            "tenths of a second late, and forecasts, on /smoother/...",
        ),
        DeclareLaunchArgument(
            "smoother_params_file",
            default_value=os.path.join(config, "smoother.yaml"),
            description="YAML file of the smoother's parameters.",
        ),
        DeclareLaunchArgument(
            "smoother_weights",
            default_value="",
            description="HuMoR weights (.safetensors, or a published best_model.pth); empty: as in "
            "smoother_params_file, where the packaged prior is the default.",
        ),
        DeclareLaunchArgument(
            "namespace",
            default_value="",
            description="ROS namespace of tracker and smoother and of their relative topics.",
        ),
        DeclareLaunchArgument(
            "rviz",
            default_value="false",
            choices=switch,
            description="Start RViz beside the tracker.",
        ),
        DeclareLaunchArgument(
            "rviz_config",
            default_value=os.path.join(config, "tracking.rviz"),
            description="View that RViz opens with.",
        ),
        DeclareLaunchArgument(
            "use_sim_time",
            default_value="false",
            choices=switch,
            description="Take the time from /clock (simulation, or ros2 bag play --clock).",
        ),
        DeclareLaunchArgument(
            "body",
            default_value="",
            description="SMPL-format body file (.npz or .pkl); empty: as in params_file, where "
            "the packaged free body is the default.",
        ),
        DeclareLaunchArgument(
            "weights",
            default_value="",
            description="WHAM weights (.pth.tar or .safetensors); empty: as in params_file, where "
            "the packaged weights are the default.",
        ),
        DeclareLaunchArgument(
            "image_encoder",
            default_value="",
            description="HMR2.0a checkpoint (.ckpt) that gives WHAM image features; needs weights "
            "of a WHAM that was trained with it. Empty: as in params_file, where none is the "
            "default.",
        ),
        DeclareLaunchArgument(
            "world_mode",
            default_value="",
            choices=["", "imu", "wham"],
            description="Where people's orientation in the world comes from: the IMU's attitude "
            "times the root seen by the camera, or WHAM's trajectory decoder; empty: as in "
            "params_file.",
        ),
        DeclareLaunchArgument(
            "autostart",
            default_value="true",
            choices=switch,
            description="Configure and activate the nodes; false leaves it to a lifecycle "
            "manager or to 'ros2 lifecycle set'.",
        ),
        DeclareLaunchArgument(
            "log_level",
            default_value="info",
            choices=["debug", "info", "warn", "error", "fatal"],
            description="Least severe log messages of tracker and smoother that are shown.",
        ),
        DeclareLaunchArgument(
            "dds_profile",
            default_value=os.path.join(config, "fastdds_shm.xml"),
            description="Fast DDS profile with shared memory that holds camera images; start the "
            "camera driver with it, too. Empty: none. Ignored where the environment names one.",
        ),
    ]


def _transport_environment(profile: str) -> dict[str, str]:
    """Variables that give Fast DDS its profile; none where the user has chosen one."""
    if not profile or any(name in os.environ for name in _PROFILE_VARIABLES):
        return {}
    old = os.environ.get("ROS_DISTRO", "") in _DISTROS_WITH_OLD_VARIABLE
    return dict.fromkeys(_PROFILE_VARIABLES[: 2 if old else 1], profile)


def _parameters(context: LaunchContext) -> list:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    given: dict = {
        parameter: ParameterValue(value(argument), value_type=str)
        for argument, parameter in _PARAMETER_OF_ARGUMENT.items()
        if value(argument)
    }
    given["use_sim_time"] = value("use_sim_time") == "true"
    if value("compressed") == "true":
        given["compressed"] = True
    files = [value("params_file")]
    if value("imu_preset"):
        share = get_package_share_directory("humor_ros")
        files.append(os.path.join(share, "config", "imu", value("imu_preset") + ".yaml"))
    return [*files, given]


def _smoother_parameters(context: LaunchContext) -> list:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    given: dict = {
        parameter: ParameterValue(value(argument), value_type=str)
        for argument, parameter in (("body", "body_path"), ("smoother_weights", "weights_path"))
        if value(argument)
    }
    given["use_sim_time"] = value("use_sim_time") == "true"
    return [value("smoother_params_file"), given]


def _autostart(node: LifecycleNode, full_name: str) -> list[Action]:
    """Events that walk a node to the active state, and say so where it does not get there."""
    wanted = IfCondition(LaunchConfiguration("autostart"))
    matcher = matches_action(node)
    return [
        RegisterEventHandler(
            OnStateTransition(
                target_lifecycle_node=node,
                start_state="configuring",
                goal_state="inactive",
                entities=[
                    EmitEvent(
                        event=ChangeState(
                            lifecycle_node_matcher=matcher,
                            transition_id=Transition.TRANSITION_ACTIVATE,
                        )
                    )
                ],
            ),
            condition=wanted,
        ),
        RegisterEventHandler(
            OnStateTransition(
                target_lifecycle_node=node,
                start_state="configuring",
                goal_state="unconfigured",
                entities=[
                    LogInfo(
                        msg=f"{full_name} could not be configured; its message above tells why. "
                        f"Mend that, then: ros2 lifecycle set {full_name} configure"
                    )
                ],
            ),
            condition=wanted,
        ),
        EmitEvent(
            event=ChangeState(
                lifecycle_node_matcher=matcher,
                transition_id=Transition.TRANSITION_CONFIGURE,
            ),
            condition=wanted,
        ),
    ]


def _start(context: LaunchContext) -> list[Action]:
    image = LaunchConfiguration("image")
    topics = ("image", "camera_info", "imu", "gyro", "accel", "magnetic_field", "odom")
    inputs = [(name, LaunchConfiguration(name)) for name in topics]
    namespace = LaunchConfiguration("namespace")
    transport = _transport_environment(LaunchConfiguration("dds_profile").perform(context))
    tracker = LifecycleNode(
        package="humor_ros",
        executable="tracker",
        name="tracker",
        namespace=namespace,
        parameters=_parameters(context),
        remappings=[*inputs, ("image/compressed", [image, "/compressed"])],
        arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
        additional_env=transport,
        output="screen",
        emulate_tty=True,
    )
    smoother = LifecycleNode(
        package="humor_ros",
        executable="smoother",
        name="smoother",
        namespace=namespace,
        parameters=_smoother_parameters(context),
        remappings=[("camera_info", LaunchConfiguration("camera_info"))],
        arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
        additional_env=transport,
        output="screen",
        emulate_tty=True,
    )
    prefix = namespace.perform(context).strip("/")
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        name="rviz2",
        namespace=namespace,
        parameters=[
            {"use_sim_time": LaunchConfiguration("use_sim_time").perform(context) == "true"}
        ],
        remappings=[
            ("/image", image),
            ("/camera_info", LaunchConfiguration("camera_info")),
            *((topic, f"/{prefix}{topic}") for topic in _SHOWN_TOPICS if prefix),
        ],
        arguments=["-d", LaunchConfiguration("rviz_config")],
        additional_env=transport,
        condition=IfCondition(LaunchConfiguration("rviz")),
        output="screen",
    )
    # The handlers come before the event that sets them off, and the node before its events.
    above = f"/{prefix}" if prefix else ""
    actions = [tracker, *_autostart(tracker, f"{above}/tracker")]
    if LaunchConfiguration("smoother").perform(context) == "true":
        actions += [smoother, *_autostart(smoother, f"{above}/smoother")]
    return [*actions, rviz]


def generate_launch_description() -> LaunchDescription:
    """Arguments, then everything that depends on their values."""
    share = get_package_share_directory("humor_ros")
    return LaunchDescription([*_arguments(share), OpaqueFunction(function=_start)])
