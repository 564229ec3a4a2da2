"""Where a posed body stands in the camera, from its key-points in the image.

The network's own camera (scale and shift in the box, WHAM section 3.2) knows how large people
are, but follows the image loosely. The translation that carries the posed body onto the measured
key-points is a small weighted least-squares problem; the network's answer enters it as a prior,
so that few or bad key-points change little.
"""

from __future__ import annotations

import numpy as np

from humor_ros.types import Array

__all__ = ["fit_translation"]

#: Standard deviation of a key-point, as a fraction of the box (measured: median 1 %; the pose
#: itself adds as much again).
_PIXEL_SIGMA = 0.03
#: Standard deviations of the network's answer, as fractions of the distance.
_DEPTH_PRIOR = 0.05
_LATERAL_PRIOR = 0.1
_ITERATIONS = 3


def fit_translation(
    points: Array, rays: Array, confidence: Array, prior: Array, angular_size: float
) -> Array:
    """Translate a posed body onto its key-points.

    Args:
        points: (N, 3) body points, camera axes, metres, any origin.
        rays: (N, 2) measured x / z, y / z of the same points.
        confidence: (N,) weights in [0, 1]; 0 leaves a point out.
        prior: (3,) translation that the network says, metres.
        angular_size: side of the person's box in the units of ``rays``; what a key-point's
            error is measured against.

    Returns:
        (3,) translation, metres.
    """
    if prior[2] <= 0.1 or angular_size <= 0.0 or not (confidence > 0.0).any():
        return prior
    translation = np.array(prior, dtype=float)
    sigma = _PIXEL_SIGMA * angular_size
    information = np.diag(
        1.0 / np.square(np.array([_LATERAL_PRIOR, _LATERAL_PRIOR, _DEPTH_PRIOR]) * prior[2])
    )
    for _ in range(_ITERATIONS):
        depth = np.maximum(points[:, 2] + translation[2], 0.1)
        # Residual of x / z in the image, linear in the translation once multiplied by the depth.
        offset = points[:, :2] - rays * points[:, 2:]
        residual = (offset + translation[:2] - rays * translation[2]) / depth[:, None]
        robust = 1.0 / (1.0 + np.square(residual / (3.0 * sigma)).sum(1))
        weight = confidence * robust / np.square(sigma * depth)
        normal = information.copy()
        right = information @ prior
        for axis in range(2):
            row = np.zeros((len(points), 3))
            row[:, axis], row[:, 2] = 1.0, -rays[:, axis]
            normal += row.T @ (weight[:, None] * row)
            right -= row.T @ (weight * offset[:, axis])
        translation = np.linalg.solve(normal, right)
    translation[2] = max(translation[2], 0.1)
    return translation
