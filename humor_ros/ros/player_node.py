"""The node ``player``: a video file as a camera with an IMU, at the video's real times."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, Imu
from std_msgs.msg import Header

from humor_ros.geometry import PinholeCamera
from humor_ros.io.camera_info import read_camera_info
from humor_ros.io.video import VideoFrame, VideoReader
from humor_ros.ros.outputs import image_message
from humor_ros.ros.parameter_spec import declare_all, read_all
from humor_ros.ros.player_parameters import PLAYER_PARAMETERS
from humor_ros.ros.player_source import FramePrefetcher, imu_of_video
from humor_ros.ros.qos import imu_qos, output_qos, player_qos
from humor_ros.ros.rotation_door import matrix_from_quaternion_xyzw
from humor_ros.ros.shutdown import StopSignal, initialise
from humor_ros.ros.tf_door import send_static
from humor_ros.ros.time_conversion import stamp_from_seconds
from humor_ros.types import ImuSample

__all__ = ["PlayerNode", "camera_info_message", "main"]

#: An image that is later than this (a busy machine) is left out, seconds.
_LATEST_S = 0.1


class PlayerNode(Node):
    """Publishes ``image``, ``camera_info``, ``imu`` and the mounting of the IMU.

    Args:
        stop: ends the playing when raised.
        **node_arguments: for :class:`rclpy.node.Node`.

    Raises:
        FileNotFoundError, ValueError: a file or parameter is wrong, named in the message.
    """

    def __init__(self, stop: StopSignal | None = None, **node_arguments: Any) -> None:
        super().__init__("player", **node_arguments)
        self._stop = stop or StopSignal()
        declare_all(self, PLAYER_PARAMETERS)
        self._values = read_all(self, PLAYER_PARAMETERS)
        if not self._values["path"]:
            raise ValueError("parameter path: no video is named; give -p path:=VIDEO")
        with VideoReader(self._values["path"]) as video:
            self._fps = video.fps
            self._size = _published_size(video, self._values["width"], self._values["height"])
            self._length_s = (video.frame_count or 0) / video.fps
        self._info = camera_info_message(self._camera(), self._values["camera_frame"])
        self._mounting = matrix_from_quaternion_xyzw(self._values["imu_rotation_camera_imu"])
        self._images = self.create_publisher(Image, "image", player_qos())
        self._infos = self.create_publisher(CameraInfo, "camera_info", output_qos(30))
        self._imu = self.create_publisher(Imu, "imu", imu_qos())
        self._static = send_static(self, [self._mounting_transform()])
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self._start_s = 0.0
        self.frames = 0
        self.skipped = 0
        self.samples = 0
        self.late_s = 0.0

    def play(self) -> bool:
        """Play to the end, once or for ever.

        Returns:
            False when nobody subscribed in time.
        """
        if not self._wait_for_subscribers():
            return False
        self._start_s = self._now_s() + max(0.6, self._values["start_delay"])
        offset_s = 0.0
        while self._running():
            end_s = self._play_once(offset_s)
            if not self._values["loop"] or self._over(end_s):
                break
            offset_s = end_s
        self._report()
        return True

    def _play_once(self, offset_s: float) -> float:
        """One pass; returns where the next one begins, seconds of the video's own time."""
        values = self._values
        frames = FramePrefetcher(VideoReader(values["path"]), self._size)
        inertial = imu_of_video(
            values["imu_csv"],
            values["imu_rate"],
            self._mounting,
            self._length_s + 1.0,
            values["camera_pitch_down"],
        )
        if offset_s:
            inertial = (sample for sample in inertial if sample.stamp_s >= 0.0)
        pending = next(inertial, None)
        last_s = 0.0
        try:
            for frame in frames:
                if not self._running() or self._over(offset_s + frame.stamp_s):
                    break
                while pending is not None and pending.stamp_s <= frame.stamp_s:
                    self._publish_imu(pending, offset_s)
                    pending = next(inertial, None)
                self._publish_frame(frame, offset_s)
                last_s = frame.stamp_s
            end_s = last_s + 1.0 / self._fps
            while pending is not None and pending.stamp_s < end_s and self._running():
                self._publish_imu(pending, offset_s)
                pending = next(inertial, None)
        finally:
            frames.close()
        return offset_s + end_s

    def _over(self, video_s: float) -> bool:
        longest_s = self._values["max_duration"]
        return 0.0 < longest_s <= video_s / self._values["rate"]

    def _publish_frame(self, frame: VideoFrame, offset_s: float) -> None:
        due_s = self._await(offset_s + frame.stamp_s)
        if self._now_s() - due_s > _LATEST_S:
            self.skipped += 1  # as a camera would: an old image is of no use to anybody
            return
        stamp = stamp_from_seconds(due_s)
        header = Header(stamp=stamp, frame_id=self._values["camera_frame"])
        self._info.header = header
        self._infos.publish(self._info)
        self._images.publish(image_message(frame.image, header))
        self.frames += 1
        self._executor.spin_once(timeout_sec=0.0)

    def _publish_imu(self, sample: ImuSample, offset_s: float) -> None:
        stamp = stamp_from_seconds(self._await(offset_s + sample.stamp_s))
        message = Imu(header=Header(stamp=stamp, frame_id=self._values["imu_frame"]))
        # The video may be played faster than life; then it also turns faster.
        rate = (sample.angular_velocity * self._values["rate"]).tolist()
        message.angular_velocity = _vector(rate)
        if sample.linear_acceleration is None:
            message.linear_acceleration_covariance[0] = -1.0
        else:
            message.linear_acceleration = _vector(sample.linear_acceleration.tolist())
        message.orientation_covariance[0] = -1.0
        self._imu.publish(message)
        self.samples += 1

    def _await(self, video_s: float) -> float:
        """Sleep until a time of the video is due; that time on the clock of ROS, seconds."""
        due_s = self._start_s + video_s / self._values["rate"]
        ahead_s = due_s - self._now_s()
        if ahead_s > 0.0:
            time.sleep(ahead_s)
        else:
            self.late_s = max(self.late_s, -ahead_s)
        return due_s

    def _running(self) -> bool:
        return rclpy.ok() and not self._stop.raised

    def _now_s(self) -> float:
        return self.get_clock().now().nanoseconds * 1e-9

    def _wait_for_subscribers(self) -> bool:
        wanted = self._values["wait_for_subscribers"]
        deadline_s = time.monotonic() + self._values["wait_timeout"]
        while self._running() and self._images.get_subscription_count() < wanted:
            if time.monotonic() > deadline_s:
                self.get_logger().error(
                    f"topic image: fewer than {wanted} subscribers after "
                    f"{self._values['wait_timeout']:g} s; is the tracker active?"
                )
                return False
            self._executor.spin_once(timeout_sec=0.1)
        return self._running()

    def _camera(self) -> PinholeCamera:
        if not self._values["camera_info"]:
            camera = PinholeCamera.assume(*self._size)
            self.get_logger().info(
                f"no calibration is given: camera_info holds the assumption f = {camera.fx:.0f} px"
            )
            return camera
        camera = read_camera_info(self._values["camera_info"])
        return camera.scaled(self._size[0] / camera.width, self._size[1] / camera.height)

    def _mounting_transform(self) -> TransformStamped:
        x, y, z, w = self._values["imu_rotation_camera_imu"]
        return TransformStamped(
            header=Header(
                stamp=self.get_clock().now().to_msg(), frame_id=self._values["camera_frame"]
            ),
            child_frame_id=self._values["imu_frame"],
            transform=Transform(rotation=Quaternion(x=x, y=y, z=z, w=w)),
        )

    def _report(self) -> None:
        self.get_logger().info(
            f"played {self.frames} images and {self.samples} IMU samples, the latest "
            f"{1e3 * self.late_s:.0f} ms late; {self.skipped} images left out as too late"
        )
        if self._values["report_path"]:
            content = {
                "path": self._values["path"],
                "start_stamp_s": self._start_s,
                "rate": self._values["rate"],
                "width": self._size[0],
                "height": self._size[1],
                "images": self.frames,
                "images_left_out": self.skipped,
                "imu_samples": self.samples,
                "latest_s": self.late_s,
            }
            Path(self._values["report_path"]).write_text(json.dumps(content, indent=1) + "\n")


def _published_size(video: VideoReader, width: int, height: int) -> tuple[int, int]:
    """Size asked for; a side that is left open keeps the video's proportions."""
    if not width and not height:
        return video.width, video.height
    if not width:
        width = max(2, 2 * round(video.width * height / video.height / 2))
    if not height:
        height = max(2, 2 * round(video.height * width / video.width / 2))
    return width, height


def camera_info_message(camera: PinholeCamera, frame: str) -> CameraInfo:
    """A calibration as ``sensor_msgs/CameraInfo``, without a stamp."""
    message = CameraInfo(
        header=Header(frame_id=frame),
        width=camera.width,
        height=camera.height,
        distortion_model=camera.model,
        d=[float(value) for value in camera.distortion],
        k=np.asarray(camera.matrix, dtype=np.float64).ravel(),
        r=np.eye(3).ravel(),
    )
    message.p = np.hstack((camera.matrix, np.zeros((3, 1)))).ravel()
    return message


def _vector(values: list[float]) -> Vector3:
    x, y, z = values
    return Vector3(x=x, y=y, z=z)


def main(args: list[str] | None = None) -> None:
    """Play until the end, SIGINT or SIGTERM."""
    code = 0
    with StopSignal() as stop:
        initialise(args)
        try:
            node = PlayerNode(stop=stop)
            code = 0 if node.play() else 1
        except (ValueError, OSError) as error:
            rclpy.logging.get_logger("player").error(str(error))
            code = 2
        rclpy.try_shutdown()
    raise SystemExit(code)


if __name__ == "__main__":
    main()
