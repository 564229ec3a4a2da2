"""Pinhole camera with the lens distortion of ROS ``CameraInfo``, and WHAM's virtual camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from humor_ros.geometry.distortion import DISTORTION_LENGTHS, distort, is_distorting, undistort
from humor_ros.types import Array

__all__ = ["PinholeCamera"]


@dataclass(frozen=True, eq=False)
class PinholeCamera:
    """Intrinsics of one camera, pixels (u right, v down, origin at the centre of the first pixel).

    Attributes:
        width: image width, pixels.
        height: image height, pixels.
        matrix: (3, 3) K = [[fx, s, cx], [0, fy, cy], [0, 0, 1]], pixels. Copied, read-only.
        distortion: coefficients in OpenCV's order; empty means none.
        model: "plumb_bob", "rational_polynomial" or "equidistant" (``CameraInfo``'s names).
        assumed: True when no calibration was given and the numbers are a guess.

    Raises:
        ValueError: on construction, naming the field and what is wrong with it.
    """

    width: int
    height: int
    matrix: Array
    distortion: tuple[float, ...] = ()
    model: str = "plumb_bob"
    assumed: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", _positive_size("width", self.width))
        object.__setattr__(self, "height", _positive_size("height", self.height))
        object.__setattr__(self, "matrix", _checked_matrix(self.matrix))
        object.__setattr__(self, "distortion", _checked_distortion(self.model, self.distortion))

    @classmethod
    def assume(cls, width: int, height: int) -> PinholeCamera:
        """Guess the camera of an uncalibrated image: f = sqrt(W² + H²), centre of the image.

        The assumption of CLIFF (Li et al., ECCV 2022) and WHAM (Shin et al., CVPR 2024),
        about 53 degrees along the diagonal.

        Args:
            width: image width, pixels.
            height: image height, pixels.
        """
        width = _positive_size("width", width)
        height = _positive_size("height", height)
        focal = float(np.hypot(width, height))
        matrix = [[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]]
        return cls(width, height, np.array(matrix), assumed=True)

    @property
    def fx(self) -> float:
        """Focal length along u, pixels."""
        return float(self.matrix[0, 0])

    @property
    def fy(self) -> float:
        """Focal length along v, pixels."""
        return float(self.matrix[1, 1])

    @property
    def cx(self) -> float:
        """Principal point, u, pixels."""
        return float(self.matrix[0, 2])

    @property
    def cy(self) -> float:
        """Principal point, v, pixels."""
        return float(self.matrix[1, 2])

    @property
    def distorted(self) -> bool:
        """Whether the lens differs from the ideal pinhole."""
        return is_distorting(self.model, self.distortion)

    def undistort(self, points: ArrayLike) -> Array:
        """Take pixels to the normalised image plane (z = 1) of the optical frame.

        Args:
            points: (N, 2) u, v, pixels of the distorted image.

        Returns:
            (N, 2) x/z, y/z; NaN where no ray in front of the lens lands there (far outside the
            image of a strongly distorting lens).

        Raises:
            ValueError: if ``points`` is not (N, 2).
        """
        pixels = _points("points", points, 2)
        return undistort(_affine_inverse(pixels, self.matrix), self.model, self.distortion)

    def project(self, points: ArrayLike) -> Array:
        """Project points of the optical frame into the distorted image.

        Args:
            points: (N, 3) x right, y down, z forward, metres.

        Returns:
            (N, 2) u, v, pixels; not clipped to the image. NaN where z <= 0.

        Raises:
            ValueError: if ``points`` is not (N, 3).
        """
        places = _points("points", points, 3)
        front = places[:, 2] > 0
        pixels = np.full((len(places), 2), np.nan)
        rays = places[front, :2] / places[front, 2:]
        pixels[front] = _affine(distort(rays, self.model, self.distortion), self.matrix)
        return pixels

    def virtual(self) -> PinholeCamera:
        """The undistorted camera that WHAM's network was trained for, of the same image size."""
        assumed = PinholeCamera.assume(self.width, self.height)
        return PinholeCamera(self.width, self.height, assumed.matrix, assumed=self.assumed)

    def to_virtual(self, points: ArrayLike) -> Array:
        """Take pixels of this camera to pixels of :meth:`virtual`.

        Args:
            points: (..., 2) u, v, pixels.

        Returns:
            (..., 2) u, v, pixels of the virtual camera.

        Raises:
            ValueError: if the last axis is not 2.
        """
        pixels, shape = _flat_points("points", points)
        return _affine(self.undistort(pixels), self.virtual().matrix).reshape(shape)

    def from_virtual(self, points: ArrayLike) -> Array:
        """Take pixels of :meth:`virtual` to pixels of this camera: undo :meth:`to_virtual`.

        Args:
            points: (..., 2) u, v, pixels of the virtual camera.

        Returns:
            (..., 2) u, v, pixels.

        Raises:
            ValueError: if the last axis is not 2.
        """
        pixels, shape = _flat_points("points", points)
        rays = _affine_inverse(pixels, self.virtual().matrix)
        return self.project(np.column_stack((rays, np.ones(len(rays))))).reshape(shape)

    def scaled(self, scale_x: float, scale_y: float | None = None) -> PinholeCamera:
        """The camera of this image resized, the outer edges of the image being kept.

        Args:
            scale_x: new width over old width.
            scale_y: new height over old height; ``scale_x`` when None.

        Raises:
            ValueError: if a scale is not a positive number.
        """
        scale_y = scale_x if scale_y is None else scale_y
        for name, scale in (("scale_x", scale_x), ("scale_y", scale_y)):
            if not (np.isfinite(scale) and scale > 0):
                raise ValueError(f"{name} must be a positive number, got {scale}")
        # Pixel centres stand at whole numbers, so the image's edge is at -0.5.
        resize = np.array(
            [
                [scale_x, 0.0, 0.5 * (scale_x - 1.0)],
                [0.0, scale_y, 0.5 * (scale_y - 1.0)],
                [0.0, 0.0, 1.0],
            ]
        )
        return self._replaced(
            max(1, round(self.width * scale_x)),
            max(1, round(self.height * scale_y)),
            resize @ self.matrix,
        )

    def cropped(self, left: int, top: int, width: int, height: int) -> PinholeCamera:
        """The camera of a region of this image.

        Args:
            left: first column of the region.
            top: first row of the region.
            width: width of the region, pixels.
            height: height of the region, pixels.
        """
        matrix = self.matrix.copy()
        matrix[:2, 2] -= (left, top)
        return self._replaced(width, height, matrix)

    def with_binning_and_roi(
        self,
        binning_x: int = 0,
        binning_y: int = 0,
        roi: tuple[int, int, int, int] | None = None,
    ) -> PinholeCamera:
        """The camera of the images really sent, as ``sensor_msgs/CameraInfo`` describes them.

        The message's K is that of the full sensor; the region is cut first, then binned.

        Args:
            binning_x: sensor columns a pixel; 0 and 1 mean none.
            binning_y: sensor rows a pixel; 0 and 1 mean none.
            roi: x_offset, y_offset, width, height in sensor pixels; None, or all zeros,
                means the full image.
        """
        camera = self
        if roi is not None and any(roi):
            left, top, width, height = roi
            camera = camera.cropped(left, top, width or self.width, height or self.height)
        if binning_x > 1 or binning_y > 1:
            camera = camera.scaled(1.0 / max(1, binning_x), 1.0 / max(1, binning_y))
        return camera

    def _replaced(self, width: int, height: int, matrix: Array) -> PinholeCamera:
        return PinholeCamera(width, height, matrix, self.distortion, self.model, self.assumed)


def _positive_size(name: str, value: int) -> int:
    if int(value) != value or value <= 0:
        raise ValueError(f"camera {name} must be a positive whole number of pixels, got {value}")
    return int(value)


def _checked_matrix(matrix: ArrayLike) -> Array:
    """Copy K, read-only, after checking that it is an invertible pinhole matrix."""
    checked = np.array(matrix, dtype=np.float64)
    if checked.size == 9:
        checked = checked.reshape(3, 3)
    if checked.shape != (3, 3):
        raise ValueError(f"camera matrix K must have shape (3, 3), got {checked.shape}")
    if not np.isfinite(checked).all():
        raise ValueError(f"camera matrix K holds NaN or infinity: {checked.ravel().tolist()}")
    if checked[0, 0] <= 0 or checked[1, 1] <= 0:
        raise ValueError(
            f"camera matrix K has fx = {checked[0, 0]:g} and fy = {checked[1, 1]:g}; both must be "
            "positive. A driver that publishes zeros is not calibrated: calibrate it, or let the "
            "camera be assumed"
        )
    if checked[1, 0] != 0 or not np.array_equal(checked[2], (0.0, 0.0, 1.0)):
        raise ValueError(
            "camera matrix K must be [[fx, s, cx], [0, fy, cy], [0, 0, 1]], got "
            f"{checked.ravel().tolist()}"
        )
    checked.setflags(write=False)
    return checked


def _checked_distortion(model: str, distortion: tuple[float, ...]) -> tuple[float, ...]:
    if model not in DISTORTION_LENGTHS:
        known = ", ".join(DISTORTION_LENGTHS)
        raise ValueError(f"unknown distortion model {model!r}; known are {known}")
    checked = tuple(float(value) for value in distortion)
    lengths = DISTORTION_LENGTHS[model]
    if len(checked) not in lengths:
        allowed = " or ".join(str(length) for length in lengths)
        raise ValueError(
            f"distortion D of model {model} must have {allowed} coefficients, got {len(checked)}"
        )
    if not np.isfinite(checked).all():
        raise ValueError(f"distortion D holds NaN or infinity: {list(checked)}")
    return checked


def _points(name: str, points: ArrayLike, dimensions: int) -> Array:
    checked = np.ascontiguousarray(points, dtype=np.float64)
    if checked.ndim != 2 or checked.shape[1] != dimensions:
        raise ValueError(f"{name} must have shape (N, {dimensions}), got {checked.shape}")
    return checked


def _flat_points(name: str, points: ArrayLike) -> tuple[Array, tuple[int, ...]]:
    checked = np.asarray(points, dtype=np.float64)
    if checked.ndim < 1 or checked.shape[-1] != 2:
        raise ValueError(f"{name} must have shape (..., 2), got {checked.shape}")
    return checked.reshape(-1, 2), checked.shape


def _affine(points: Array, matrix: Array) -> Array:
    return points @ matrix[:2, :2].T + matrix[:2, 2]


def _affine_inverse(points: Array, matrix: Array) -> Array:
    y = (points[:, 1] - matrix[1, 2]) / matrix[1, 1]
    x = (points[:, 0] - matrix[0, 2] - matrix[0, 1] * y) / matrix[0, 0]
    return np.stack((x, y), axis=-1)
