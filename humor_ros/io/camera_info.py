"""Camera calibration as ROS has it: YAML files of ``camera_calibration``, and messages."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from humor_ros.geometry.camera import PinholeCamera

__all__ = ["CameraInfoError", "camera_from_message", "read_camera_info", "write_camera_info"]


class CameraInfoError(ValueError):
    """A calibration file that cannot be used; names the file and the entry."""


def read_camera_info(path: str | Path) -> PinholeCamera:
    """Read a calibration file.

    Takes the layout of ``camera_calibration`` (``image_width``, ``camera_matrix``, ...) and
    that of ``ros2 topic echo --once .../camera_info`` (``width``, ``k``, ``d``, ...).

    Args:
        path: of the YAML file.

    Returns:
        the camera.

    Raises:
        FileNotFoundError: if the file does not exist.
        CameraInfoError: naming the file and what is wrong in it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"camera calibration not found: {path}")
    try:
        content = next(iter(yaml.safe_load_all(path.read_text(encoding="utf-8"))), None)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CameraInfoError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise CameraInfoError(f"{path} holds no camera calibration (no entries)")
    matrix = _numbers(path, content, ("camera_matrix", "k", "K"))
    if len(matrix) != 9:
        raise CameraInfoError(f"{path}: camera_matrix must have 9 numbers, got {len(matrix)}")
    distortion = _numbers(path, content, ("distortion_coefficients", "d", "D"), default=[])
    model = str(content.get("distortion_model") or "plumb_bob")
    if not any(distortion):
        distortion, model = [], "plumb_bob"
    try:
        return PinholeCamera(
            width=int(_entry(path, content, ("image_width", "width"))),
            height=int(_entry(path, content, ("image_height", "height"))),
            matrix=np.array(matrix, dtype=np.float64).reshape(3, 3),
            distortion=tuple(distortion),
            model=model,
        )
    except (TypeError, ValueError) as error:
        raise CameraInfoError(f"{path}: {error}") from error


def write_camera_info(path: str | Path, camera: PinholeCamera, name: str = "camera") -> None:
    """Write a calibration file as ``camera_calibration`` does.

    Args:
        path: of the YAML file; its folder must exist.
        camera: to be written.
        name: of the camera.
    """
    projection = np.hstack([camera.matrix, np.zeros((3, 1))])
    content = {
        "image_width": int(camera.width),
        "image_height": int(camera.height),
        "camera_name": name,
        "camera_matrix": _matrix(camera.matrix),
        "distortion_model": camera.model,
        "distortion_coefficients": _matrix(np.array([camera.distortion or (0.0,) * 5])),
        "rectification_matrix": _matrix(np.eye(3)),
        "projection_matrix": _matrix(projection),
    }
    text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None)
    Path(path).write_text(text, encoding="utf-8")


def camera_from_message(message: Any) -> PinholeCamera:
    """Camera of a ``sensor_msgs/CameraInfo`` message, of rosbags or of rclpy.

    Binning and region of interest are applied, as the image has them.

    Args:
        message: with ``width``, ``height``, ``k``, ``d``, ``distortion_model``, ``binning_x``,
            ``binning_y`` and ``roi``.

    Returns:
        the camera of the image as it is published.

    Raises:
        ValueError: if K is zero or not finite, or the model is unknown.
    """
    distortion = tuple(float(value) for value in message.d)
    known = any(distortion) and all(map(math.isfinite, distortion))
    camera = PinholeCamera(
        width=int(message.width),
        height=int(message.height),
        matrix=np.array(message.k, dtype=np.float64).reshape(3, 3),
        distortion=distortion if known else (),
        model=str(message.distortion_model) if known else "plumb_bob",
    )
    roi = message.roi
    return camera.with_binning_and_roi(
        binning_x=int(message.binning_x),
        binning_y=int(message.binning_y),
        roi=(int(roi.x_offset), int(roi.y_offset), int(roi.width), int(roi.height)),
    )


def _entry(path: Path, content: dict[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        if content.get(name) is not None:
            return content[name]
    raise CameraInfoError(f"{path} has no entry {names[0]!r}")


def _numbers(
    path: Path, content: dict[str, Any], names: tuple[str, ...], default: list[float] | None = None
) -> list[float]:
    """Numbers of an entry that is a list, or a matrix with ``data``."""
    if default is not None and not any(content.get(name) is not None for name in names):
        return default
    entry = _entry(path, content, names)
    values = entry.get("data", ()) if isinstance(entry, dict) else entry
    try:
        return [float(value) for value in values]
    except (TypeError, ValueError) as error:
        raise CameraInfoError(f"{path}: {names[0]} must be a list of numbers") from error


def _matrix(values: np.ndarray) -> dict[str, Any]:
    rows, cols = values.shape
    return {"rows": rows, "cols": cols, "data": [float(value) for value in values.ravel()]}
