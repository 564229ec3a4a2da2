"""The table of the tracker's parameters; ``config/tracking.yaml`` lists the same, commented."""

from __future__ import annotations

from humor_ros.ros.parameter_spec import ParameterSpec
from humor_ros.ros.shared_parameters import (
    ASSUME_CAMERA,
    AUTOSTART,
    CAMERA_INFO_TIMEOUT,
    CONTACT_THRESHOLD,
    TF_ENABLED,
    THREADS,
    TRAJECTORY,
)

__all__ = ["TRACKER_PARAMETERS"]

_P = ParameterSpec

_LIFECYCLE = (AUTOSTART,)

_MODELS = (
    _P(
        "body_path",
        "",
        "SMPL-format body file (.npz or .pkl); empty uses the packaged free body",
    ),
    _P(
        "weights_path",
        "",
        "WHAM weights (.pth.tar as published, or .safetensors); empty uses the packaged weights",
    ),
    THREADS,
)

_FEATURES = (
    _P(
        "features.encoder_path",
        "",
        "HMR2.0a checkpoint that gives WHAM image features, with weights_path of a WHAM trained "
        "with it; empty goes without",
    ),
    _P(
        "features.sizes_path",
        "",
        "JSON of the encoder's sizes (tables vit and decoder); empty takes the published ones",
    ),
    _P(
        "features.every",
        1,
        "A person is encoded at most at every so many processed images; the encoder runs beside "
        "the loop at the rate that it can, on the newest image",
        unit="images",
        minimum=1,
        maximum=300,
    ),
    _P(
        "features.budget",
        1.0,
        "Share of the time that the encoder may be busy",
        minimum=0.01,
        maximum=1.0,
    ),
    _P(
        "features.max_people",
        4,
        "Most people encoded of one image; who waits longest goes first",
        minimum=1,
        maximum=64,
    ),
    _P(
        "features.max_age",
        2.0,
        "Features that come later than this after their image are dropped",
        unit="s",
        minimum=0.05,
        maximum=10.0,
    ),
    _P(
        "features.missing",
        "zero",
        "What the integrator does between features: zero, a zero feature as in the published "
        "training's clips without images; context, nothing",
        choices=("zero", "context"),
    ),
    _P(
        "features.dtype",
        "float32",
        "Type of the encoder's large products; bfloat16 is about twice as fast where the "
        "processor has it, and less exact",
        choices=("float32", "bfloat16", "float16"),
    ),
    _P(
        "features.device",
        "cpu",
        "Where the encoder runs: cpu, cuda or another device of PyTorch",
    ),
    _P(
        "features.niceness",
        10,
        "By how much the priority of the encoder's thread is lower (Linux)",
        minimum=0,
        maximum=19,
    ),
)

_DETECTOR = (
    _P(
        "detector.kind",
        "movenet",
        "Which detector: the packaged MoveNet, a top-down ONNX model, or ViTPose from a folder",
        choices=("movenet", "onnx", "vitpose"),
    ),
    _P(
        "detector.movenet_model",
        "thunder",
        "MoveNet for the key-points: lightning is three times faster and less exact",
        choices=("thunder", "lightning"),
    ),
    _P(
        "detector.full_frame_size",
        256,
        "Long side of the whole image as MoveNet MultiPose sees it, a multiple of 32; larger finds "
        "smaller people",
        unit="pixels",
        minimum=64,
        maximum=1280,
    ),
    _P(
        "detector.pose_path",
        "",
        "Top-down .onnx file, or the ViTPose folder; unused with movenet",
    ),
    _P(
        "detector.person_path",
        "",
        "Person detector (.onnx file, or folder with vitpose); empty takes MoveNet MultiPose",
    ),
)

_CAMERA = (
    _P(
        "compressed",
        False,
        "Subscribe to image/compressed (sensor_msgs/CompressedImage) in place of image",
    ),
    _P(
        "camera_frame",
        "",
        "Optical frame of the images; empty takes the frame_id of the image header",
    ),
    ASSUME_CAMERA,
    CAMERA_INFO_TIMEOUT,
)

_IMU = (
    _P("imu.enabled", True, "Use sensor_msgs/Imu for the rotation of the camera and for gravity"),
    _P(
        "imu.wait",
        0.012,
        "Longest wait for the IMU sample that closes the interval up to an image",
        unit="s",
        minimum=0.0,
        maximum=0.2,
        dynamic=True,
    ),
    _P(
        "imu.extrinsics",
        "tf",
        "Where the rotation camera<-imu comes from: TF, the parameter imu.rotation_camera_imu, or "
        "the identity (an IMU that reports in optical axes)",
        choices=("tf", "parameter", "identity"),
    ),
    _P(
        "imu.rotation_camera_imu",
        [0.0, 0.0, 0.0, 1.0],
        "Quaternion x, y, z, w that maps IMU axes to optical camera axes",
        length=4,
    ),
    _P(
        "imu.time_offset",
        0.0,
        "Added to IMU stamps to bring them to the clock of the images",
        unit="s",
        minimum=-1.0,
        maximum=1.0,
    ),
    _P(
        "imu.source",
        "imu",
        "Topics of the IMU: imu carries both sensors; gyro_accel reads gyro and accel apart, as "
        "RealSense publishes them without unite_imu_method, accelerations interpolated to the "
        "gyroscope's stamps",
        choices=("imu", "gyro_accel"),
    ),
    _P(
        "imu.angular_velocity_unit",
        "rad/s",
        "Unit of the angular velocities in the messages; all but rad/s is a driver's mistake "
        "(REP-103) that this mends",
        choices=("rad/s", "deg/s"),
    ),
    _P(
        "imu.linear_acceleration_unit",
        "m/s^2",
        "Unit of the accelerations in the messages; all but m/s^2 is a driver's mistake (REP-103) "
        "that this mends",
        choices=("m/s^2", "g"),
    ),
    _P(
        "imu.gyroscope_noise_density",
        1.5e-4,
        "White noise of the gyroscope, from an Allan plot or the data sheet (deg/s/sqrt(Hz) times "
        "0.01745)",
        unit="rad/s/sqrt(Hz)",
        minimum=0.0,
        maximum=1.0,
    ),
    _P(
        "imu.gyroscope_random_walk",
        3.0e-5,
        "Random walk of the gyroscope's bias, from an Allan plot, some ten times for what the "
        "model leaves out",
        unit="rad/s^2/sqrt(Hz)",
        minimum=0.0,
        maximum=1.0,
    ),
    _P(
        "imu.gyroscope_bias",
        [0.0, 0.0, 0.0],
        "Bias of the gyroscope that is known beforehand, IMU axes, subtracted",
        unit="rad/s",
        length=3,
    ),
    _P(
        "imu.gyroscope_bias_stability",
        8.7e-3,
        "Standard deviation of the gyroscope's bias at the start (the data sheet's zero-rate "
        "offset)",
        unit="rad/s",
        minimum=0.0,
        maximum=1.0,
    ),
    _P(
        "imu.gyroscope_range",
        0.0,
        "Full scale of the gyroscope, to see when it saturates; 0 sees it by plateaus",
        unit="rad/s",
        minimum=0.0,
        maximum=100.0,
    ),
    _P(
        "imu.accelerometer_noise_density",
        2.0e-3,
        "White noise of the accelerometer, from an Allan plot or the data sheet (ug/sqrt(Hz) "
        "times 9.8e-6)",
        unit="m/s^2/sqrt(Hz)",
        minimum=0.0,
        maximum=10.0,
    ),
    _P(
        "imu.accelerometer_random_walk",
        3.0e-4,
        "Random walk of the accelerometer's bias, from an Allan plot, some ten times for what the "
        "model leaves out",
        unit="m/s^3/sqrt(Hz)",
        minimum=0.0,
        maximum=10.0,
    ),
    _P(
        "imu.accelerometer_bias_stability",
        0.05,
        "Standard deviation of the accelerometer's bias at the start (the data sheet's zero-g "
        "offset, after calibration)",
        unit="m/s^2",
        minimum=0.0,
        maximum=10.0,
    ),
    _P(
        "imu.accelerometer_range",
        0.0,
        "Full scale of the accelerometer, to see when it saturates; 0 sees it by plateaus",
        unit="m/s^2",
        minimum=0.0,
        maximum=1000.0,
    ),
    _P(
        "imu.mounting_std",
        0.0175,
        "Standard deviation of the rotation camera<-imu that TF or parameters tell, each axis",
        unit="rad",
        minimum=0.0,
        maximum=1.0,
    ),
    _P(
        "imu.time_offset_std",
        0.005,
        "Standard deviation of imu.time_offset",
        unit="s",
        minimum=0.0,
        maximum=0.1,
    ),
    _P(
        "imu.self_calibration",
        True,
        "Apply time offset and rotation camera<-imu that gyroscope and background agree on, slowly "
        "and once they are certain; both are told in diagnostics and the log either way",
    ),
    _P(
        "imu.magnetometer",
        False,
        "Hold the heading by the topic magnetic_field (sensor_msgs/MagneticField, hard and soft "
        "iron taken off) where the background cannot; indoors fields are bent",
    ),
    _P(
        "imu.magnetic_heading_std",
        0.09,
        "Standard deviation of a heading by an undisturbed magnetic field",
        unit="rad",
        minimum=0.001,
        maximum=3.2,
    ),
    _P(
        "imu.max_correction_rate",
        0.35,
        "Fastest turn of the world shown towards a corrected one, whatever corrected it (gravity, "
        "odometry, TF that jumped); people turn with it",
        unit="rad/s",
        minimum=0.01,
        maximum=100.0,
    ),
    _P(
        "imu.fault_detection",
        True,
        "Look for an IMU that is stuck, saturated, in wrong units or axes, leave out what it harms "
        "and tell the remedy",
    ),
)

_BACKGROUND = (
    _P(
        "background.enabled",
        True,
        "Follow the background, people left out, beside an IMU: it bounds heading, finds the "
        "gyroscope's bias and calibrates the IMU; without it heading drifts",
    ),
    _P(
        "background.interval",
        0.1,
        "Time between two looks at the background",
        unit="s",
        minimum=0.02,
        maximum=2.0,
    ),
    _P(
        "background.points",
        120,
        "Points followed at most",
        minimum=20,
        maximum=1000,
    ),
    _P(
        "background.width",
        640,
        "Width of the reduced image in which they are followed",
        unit="pixels",
        minimum=160,
        maximum=4096,
    ),
    _P(
        "background.budget",
        0.08,
        "Share of one core that it may cost; above it looks become rarer, then cease",
        minimum=0.001,
        maximum=1.0,
    ),
)

_CAMERA_POSE = (
    _P(
        "camera_pose.source",
        "none",
        "Where the pose of the camera in the world comes from: nothing, the topic odom "
        "(nav_msgs/Odometry) or TF",
        choices=("none", "odom", "tf"),
    ),
    _P(
        "camera_pose.world_frame",
        "odom",
        "Gravity-true, z-up frame in which TF gives the camera (with camera_pose.source tf)",
    ),
    _P(
        "camera_pose.wait",
        0.01,
        "Longest wait for the transform of an image's time",
        unit="s",
        minimum=0.0,
        maximum=0.2,
        dynamic=True,
    ),
    _P(
        "camera_pose.max_speed",
        5.0,
        "A camera whose poses move faster than this did not move: odometry or TF jumped (REP-105), "
        "which is counted and told",
        unit="m/s",
        minimum=0.1,
        maximum=1000.0,
    ),
    _P(
        "camera_pose.max_rate",
        8.0,
        "A camera whose poses turn faster than this did not turn: odometry or TF jumped (REP-105), "
        "and the world follows at imu.max_correction_rate",
        unit="rad/s",
        minimum=0.1,
        maximum=100.0,
    ),
    _P(
        "camera_pose.common_ground",
        True,
        "People share one floor where the camera's place is known (odometry, TF or camera_fixed)",
    ),
)

_TRACKING = (
    _P(
        "world_mode",
        "imu",
        "Root orientation in the world: imu is the camera's gravity-true attitude times the root "
        "seen by the camera, displaced by WHAM's velocity; wham is WHAM's own trajectory decoder "
        "and roll-out",
        choices=("imu", "wham"),
    ),
    _P(
        "camera_fixed",
        False,
        "The camera does not translate (a tripod, a wall): the seen position corrects the drift of "
        "the people in the world",
    ),
    _P(
        "flip_averaging",
        False,
        "Average pose, shape and contacts with those of the mirrored image, as WHAM's published "
        "evaluation does; doubles the work of network and encoder",
    ),
    _P("max_people", 8, "Most people followed at once", minimum=1, maximum=64),
    _P(
        "reid_window",
        1.0,
        "How long the id of an unseen person waits for its return",
        unit="s",
        minimum=0.0,
        maximum=60.0,
    ),
    _P(
        "detect_every_frames",
        10,
        "The whole image is searched for newcomers at least this often",
        unit="frames",
        minimum=1,
        maximum=300,
    ),
)

_FRAMES = (
    TF_ENABLED,
    _P(
        "tf.parent",
        "world",
        "Parent of the people's root frames",
        choices=("world", "camera"),
    ),
    _P(
        "tf.world_frame",
        "humor_world",
        "Name of the gravity-true, z-up world where neither odometry nor TF gives one",
    ),
    _P(
        "tf.publish_world",
        True,
        "Publish tf.world_frame as a CHILD of the camera frame (inverse transform), so that the "
        "camera keeps the parent that it has",
    ),
)

_OUTPUTS = (
    _P(
        "rep155.enabled",
        True,
        "Publish REP-155 topics under /humans/bodies and the frame body_<id>",
    ),
    CONTACT_THRESHOLD,
    TRAJECTORY,
    _P(
        "markers.frame",
        "world",
        "Frame of the markers",
        choices=("world", "camera"),
    ),
)

#: Every parameter of the node ``tracker``, in the order of ``config/tracking.yaml``.
TRACKER_PARAMETERS: tuple[ParameterSpec, ...] = (
    *_LIFECYCLE,
    *_MODELS,
    *_FEATURES,
    *_DETECTOR,
    *_CAMERA,
    *_IMU,
    *_BACKGROUND,
    *_CAMERA_POSE,
    *_TRACKING,
    *_FRAMES,
    *_OUTPUTS,
)
