"""Which frames an image's results are given in."""

from __future__ import annotations

from typing import Any

from humor_ros.ros.reports import Reporter

__all__ = ["FrameNames"]

#: Name of the camera where neither header nor parameter gives one.
FALLBACK_CAMERA_FRAME = "camera_optical_frame"


class FrameNames:
    """Names of the camera's and the world's frame, image by image.

    The world is our own (``tf.world_frame``) until a measured camera pose has been used; from
    then on it is the frame of that pose, which odometry or TF already connects to the camera.

    Args:
        camera_frame: parameter ``camera_frame``; empty takes the header's.
        world_frame: parameter ``tf.world_frame``.
        reporter: tells of headers without, or with changing frames.
    """

    def __init__(self, camera_frame: str, world_frame: str, reporter: Reporter) -> None:
        self._camera_frame = camera_frame
        self._own_world = world_frame
        self._reporter = reporter
        self._seen: str | None = None
        self._measured_world: str | None = None

    def camera(self, header_frame: str, camera_info_frame: str) -> str:
        """Optical frame of an image.

        Args:
            header_frame: of the image's header.
            camera_info_frame: of the camera_info's header; empty when unknown.
        """
        if self._camera_frame:
            return self._camera_frame
        frame = header_frame.lstrip("/")
        if not frame:
            self._reporter.say(
                "image_frame_missing",
                "topic image: frame_id is empty; set the driver's frame_id or the parameter "
                f"camera_frame; {camera_info_frame or FALLBACK_CAMERA_FRAME!r} is used",
            )
            return camera_info_frame.lstrip("/") or FALLBACK_CAMERA_FRAME
        if camera_info_frame and camera_info_frame.lstrip("/") != frame:
            self._reporter.say(
                "camera_info_frame_differs",
                f"topic camera_info: frame_id {camera_info_frame!r} is not that of the images, "
                f"{frame!r}; is it the calibration of this camera?",
            )
        if self._seen is not None and frame != self._seen:
            self._reporter.say(
                "image_frame_changes",
                f"topic image: frame_id changed from {self._seen!r} to {frame!r}; let one camera "
                "publish on the topic",
            )
        self._seen = frame
        return frame

    def world(self, measured_frame: str | None, motion: Any) -> tuple[str, bool]:
        """World frame of an image, and whether it is ours to place in TF.

        Args:
            measured_frame: frame of the camera poses in use; None without.
            motion: the :class:`~humor_ros.types.CameraMotion` of the image.
        """
        if measured_frame and motion.position_known:
            self._measured_world = measured_frame
        if self._measured_world is not None:
            return self._measured_world, False
        return self._own_world, True

    def forget(self) -> None:
        """Start anew (the clock was set back)."""
        self._measured_world = None
