"""Small bags and videos for the tests of the io room."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest


class BagMaker:
    """Writes ROS 2 bags of plain values with rosbags.

    Times are seconds; each ``add_*`` takes the stamp of the header and, if it differs, the
    time of recording.
    """

    def __init__(self, path: Path, storage: str = "mcap") -> None:
        from rosbags.rosbag2 import StoragePlugin, Writer
        from rosbags.typesys import Stores, get_typestore

        plugin = StoragePlugin.MCAP if storage == "mcap" else StoragePlugin.SQLITE3
        self.path = path
        self.types = get_typestore(Stores.LATEST)
        self._writer = Writer(path, version=9, storage_plugin=plugin)
        self._connections: dict[str, object] = {}
        self._writer.open()

    def close(self) -> Path:
        self._writer.close()
        return self.path

    def add(self, topic, kind, message, recorded_s):
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, kind, typestore=self.types
            )
        raw = self.types.serialize_cdr(message, kind)
        self._writer.write(self._connections[topic], round(recorded_s * 1e9), raw)

    def add_bytes(self, topic, kind, raw, recorded_s):
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, kind, typestore=self.types
            )
        self._writer.write(self._connections[topic], round(recorded_s * 1e9), raw)

    def header(self, stamp_s, frame_id):
        kinds = self.types.types
        nanoseconds = round(stamp_s * 1e9)
        stamp = kinds["builtin_interfaces/msg/Time"](nanoseconds // 10**9, nanoseconds % 10**9)
        return kinds["std_msgs/msg/Header"](stamp, frame_id)

    def add_image(
        self, stamp_s, image, topic="/camera/image_raw", recorded_s=None, encoding="bgr8", **over
    ):
        fields = {
            "header": self.header(stamp_s, "camera_optical"),
            "height": image.shape[0],
            "width": image.shape[1],
            "encoding": encoding,
            "is_bigendian": 0,
            "step": image.strides[0],
            "data": np.ascontiguousarray(image).reshape(-1).view(np.uint8),
        }
        message = self.types.types["sensor_msgs/msg/Image"](**{**fields, **over})
        self.add(topic, "sensor_msgs/msg/Image", message, recorded_s or stamp_s)

    def add_compressed(self, stamp_s, image, topic="/camera/image_raw/compressed"):
        message = self.types.types["sensor_msgs/msg/CompressedImage"](
            header=self.header(stamp_s, "camera_optical"),
            format="bgr8; png compressed bgr8",
            data=cv2.imencode(".png", image)[1].reshape(-1),
        )
        self.add(topic, "sensor_msgs/msg/CompressedImage", message, stamp_s)

    def add_camera_info(self, stamp_s, focal, topic="/camera/camera_info", size=(64, 48)):
        kinds = self.types.types
        message = kinds["sensor_msgs/msg/CameraInfo"](
            header=self.header(stamp_s, "camera_optical"),
            height=size[1],
            width=size[0],
            distortion_model="plumb_bob",
            d=np.array([0.1, 0.0, 0.0, 0.0, 0.0]),
            k=np.array([focal, 0, 32, 0, focal, 24, 0, 0, 1], dtype=np.float64),
            r=np.eye(3).ravel(),
            p=np.zeros(12),
            binning_x=0,
            binning_y=0,
            roi=kinds["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False),
        )
        self.add(topic, "sensor_msgs/msg/CameraInfo", message, stamp_s)

    def add_imu(self, stamp_s, rate, force, topic="/imu/data", recorded_s=None, no_force=False):
        kinds = self.types.types
        vector = kinds["geometry_msgs/msg/Vector3"]
        unknown = np.zeros(9)
        absent = np.array([-1.0, *np.zeros(8)])
        message = kinds["sensor_msgs/msg/Imu"](
            header=self.header(stamp_s, "imu_link"),
            orientation=kinds["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0),
            orientation_covariance=absent,
            angular_velocity=vector(*map(float, rate)),
            angular_velocity_covariance=unknown,
            linear_acceleration=vector(*map(float, force)),
            linear_acceleration_covariance=absent if no_force else unknown,
        )
        self.add(topic, "sensor_msgs/msg/Imu", message, recorded_s or stamp_s)

    def add_static_transform(self, parent, child, quaternion_xyzw, recorded_s=0.5):
        kinds = self.types.types
        transform = kinds["geometry_msgs/msg/TransformStamped"](
            header=self.header(0.0, parent),
            child_frame_id=child,
            transform=kinds["geometry_msgs/msg/Transform"](
                translation=kinds["geometry_msgs/msg/Vector3"](0.0, 0.0, 0.0),
                rotation=kinds["geometry_msgs/msg/Quaternion"](*map(float, quaternion_xyzw)),
            ),
        )
        message = kinds["tf2_msgs/msg/TFMessage"](transforms=[transform])
        self.add("/tf_static", "tf2_msgs/msg/TFMessage", message, recorded_s)


@pytest.fixture
def make_bag(tmp_path):
    """Function that opens a new bag for writing."""
    made: list[BagMaker] = []

    def make(storage: str = "mcap") -> BagMaker:
        made.append(BagMaker(tmp_path / f"bag{len(made)}", storage))
        return made[-1]

    return make


@pytest.fixture
def grey():
    """Function that makes an image of one grey, in which a reader can see which one it is."""
    return lambda value, size=(64, 48): np.full((size[1], size[0], 3), value, dtype=np.uint8)
