"""Processor time of the whole inertial part, looking at images included.

A hand-held rig (200 Hz IMU, 0.5 deg/s of bias) walks before a textured wall at a distance; its
images at 30 fps are turned as the camera turns. Timed is everything that an IMU adds to the
tracker: taking samples in, following the background (OpenCV), fitting turns, filter and
self-calibration. Printed as share of one core.

    .venv/bin/python benchmarks/inertial_cost.py [--seconds 20] [--width 1280]
"""

from __future__ import annotations

import argparse
import time

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from humor_ros.evaluation.inertial_scenarios import SCENARIOS
from humor_ros.evaluation.rig import RigScenario, VirtualRig
from humor_ros.geometry import PinholeCamera
from humor_ros.inertial import CameraMotionEstimator, InertialConfig
from humor_ros.inertial.background_tracker import BackgroundTracker
from humor_ros.types import Array, Image

#: A person fills this part of the image (left, top, right, bottom).
_PERSON = np.array([0.4, 0.15, 0.6, 0.95])
_FPS = 30.0


def texture(camera: PinholeCamera, random: np.random.Generator) -> Image:
    """(H, W, 3) uint8 wall with structure of all sizes, three images wide and high."""
    height, width = 3 * camera.height, 3 * camera.width
    wall = np.zeros((height, width), np.float32)
    for size in (4, 16, 64):
        grid = random.uniform(size=(height // size, width // size)).astype(np.float32)
        wall += np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC))
    wall = 255.0 * (wall - wall.min()) / np.ptp(wall)
    return np.repeat(wall.astype(np.uint8)[..., None], 3, axis=2)


def seen(wall: Image, camera: PinholeCamera, rotation_wall_camera: Array) -> Image:
    """Image of a wall that is far off by a camera turned like (3, 3)."""
    matrix = np.array(
        [[camera.fx, 0, camera.width / 2], [0, camera.fx, camera.height / 2], [0, 0, 1.0]]
    )
    centre = np.array([[1, 0, camera.width], [0, 1, camera.height], [0, 0, 1.0]])
    # Pixels of the image to pixels of the wall.
    to_wall = centre @ matrix @ rotation_wall_camera @ np.linalg.inv(matrix)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (camera.width, camera.height)
    image = cv2.warpPerspective(wall, to_wall, size, flags=flags, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(image)


def main() -> None:
    """Play, time and print."""
    parser = argparse.ArgumentParser(description="Processor time of the inertial part.")
    parser.add_argument("--seconds", type=float, default=20.0, help="length played")
    parser.add_argument("--width", type=int, default=1280, help="of the images, 16:9")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    scenario = SCENARIOS["bias"]
    size = (options.width, options.width * 9 // 16)
    rig = VirtualRig(
        RigScenario("cost", "", imu=scenario.rig.imu, duration_s=options.seconds, image_size=size),
        0,
    )
    config = InertialConfig(rotation_camera_imu=rig.imu.told_rotation_camera_imu, **scenario.told)
    estimator = CameraMotionEstimator(config)
    tracker = BackgroundTracker(timer=time.process_time)
    wall = texture(rig.camera, np.random.default_rng(0))
    middle = rig.rotation_world_camera[len(rig.stamps_s) // 2].T
    person = [_PERSON * np.tile(size, 2)]
    spent = dict.fromkeys(("samples", "background (OpenCV)", "turns, filter, calibration"), 0.0)
    looks = 0
    for frame in rig.frames():
        image = seen(wall, rig.camera, middle @ rig.rotation_world_camera[frame.index])
        start = time.process_time()
        for sample in frame.samples:
            estimator.add_imu(sample)
        taken = time.process_time()
        points = tracker.update(image, frame.stamp_s, person, rig.camera)
        followed = time.process_time()
        if points is not None:
            looks += 1
            estimator.add_background(points)
        estimator.motion_at(frame.stamp_s)
        done = time.process_time()
        for name, seconds in zip(
            spent, (taken - start, followed - taken, done - followed), strict=True
        ):
            spent[name] += seconds
    table = Table(title=f"{options.seconds:.0f} s, 200 Hz IMU, 30 fps, {size[0]} x {size[1]}")
    for heading in ("part", "% of one core", "ms an image"):
        table.add_column(heading, justify="left" if heading == "part" else "right")
    images = options.seconds * _FPS
    for name, seconds in [*spent.items(), ("all", sum(spent.values()))]:
        share, each = 100.0 * seconds / options.seconds, 1e3 * seconds / images
        table.add_row(name, f"{share:.1f}", f"{each:.2f}")
    console = Console()
    console.print(table)
    console.print(
        f"{looks / options.seconds:.1f} looks a second, the background"
        f" {'was switched off' if tracker.switched_off else 'stayed on'};"
        f" disagreements {estimator.counters['background_disagreements']},"
        f" unclear {estimator.counters['background_unclear']}"
    )


if __name__ == "__main__":
    main()
