"""Real gyroscopes and accelerometers: their noise, and what the attitude filter makes of them.

Recordings of a head-worn Pupil Labs Neon (110 Hz) and of GoPro cameras (200 Hz) are shipped as test
data by two packages, pupil-labs-neon-recording (PyPI, MIT) and gopro-telemetry (npm, ISC). They are
fetched by ``pip`` and ``npm``, read here, and nothing of them is kept in this repository.

Printed for each: noise densities by the Allan deviation at one sample of the stillest second (an
upper bound: the wearer moves), the same as multiples of what the configuration assumes, and the
tilt that the filter finds against the device's own fused attitude (after the best constant
rotation between their axes), with the share of it inside the stated 95 % region.

    .venv/bin/python benchmarks/inertial_sensors.py [--cache FOLDER]
"""

from __future__ import annotations

import argparse
import struct
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.spatial.transform import Rotation

from humor_ros.inertial import CameraMotionEstimator, InertialConfig
from humor_ros.types import Array, ImuSample

_NEON = ("pupil-labs-neon-recording", "2.1.6")
_GOPRO = ("gopro-telemetry", "1.2.11")
_NEON_RECORD = np.dtype(
    [("time_ns", "<i8"), ("rate", "<f4", 3), ("force", "<f4", 3), ("wxyz", "<f4", 4)]
)
_GRAVITY = 9.80665
_FPS = 30.0
#: Filters are given this long to settle, seconds.
_SETTLED_S = 2.0
#: 95 % of a chi-square of two axes.
_INSIDE_2 = 5.991
#: A device whose own attitude is further from its mean force than this has none yet.
_AGREES = 0.98


@dataclass(frozen=True, eq=False)
class Recording:
    """Samples of one device.

    Attributes:
        name: for people.
        stamps_s: (N,).
        rates: (N, 3) rad/s; forces: (N, 3) m/s², the same axes.
        up_stamps_s, up: (M,) and (M, 3) "up" by the device itself, axes of its own.
    """

    name: str
    stamps_s: Array
    rates: Array
    forces: Array
    up_stamps_s: Array
    up: Array


def fetch(folder: Path) -> None:
    """Fetch both packages into a folder, unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    name, version = _NEON
    if not list(folder.glob("pupil_labs*.tar.gz")):
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", name]
        subprocess.run([*pip, "-d", str(folder), f"{name}=={version}"], check=True)
    name, version = _GOPRO
    if not list(folder.glob(f"{name}*.tgz")):
        subprocess.run(
            ["npm", "pack", "--silent", f"{name}@{version}"],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )


def neon_recordings(folder: Path) -> Iterator[Recording]:
    """Recordings of the Neon, one a part."""
    with tarfile.open(next(folder.glob("pupil_labs*.tar.gz"))) as archive:
        for member in archive.getmembers():
            path = Path(member.name)
            if not (path.name.startswith("imu ps") and path.suffix == ".raw"):
                continue
            file = archive.extractfile(member)
            data = np.frombuffer(b"" if file is None else file.read(), _NEON_RECORD)
            stamps = (data["time_ns"] - data["time_ns"][0]) * 1e-9
            attitude = Rotation.from_quat(data["wxyz"][:, [1, 2, 3, 0]].astype(np.float64))
            yield Recording(
                f"Neon, {path.parent.name} {path.stem[-1]}",
                stamps,
                np.radians(data["rate"].astype(np.float64)),
                data["force"].astype(np.float64) * _GRAVITY,
                stamps,
                attitude.inv().apply([0.0, 0.0, 1.0]),
            )


def gopro_recordings(folder: Path) -> Iterator[Recording]:
    """Recordings of GoPro cameras whose streams have regular times."""
    with tarfile.open(next(folder.glob("gopro-telemetry*.tgz"))) as archive:
        for name in ("hero7", "hero11"):
            file = archive.extractfile(f"package/samples/{name}.raw")
            streams: dict[str, list[Array]] = {}
            seconds = 0
            for key, values in gpmf_streams(b"" if file is None else file.read()):
                streams.setdefault(key, []).append(values)
                seconds += key == "GYRO"
            rates, forces = np.concatenate(streams["GYRO"]), np.concatenate(streams["ACCL"])
            count = min(len(rates), len(forces))
            # A block holds one second, but for NTSC's thousandth.
            duration = seconds * 1.001
            up = np.concatenate(streams.get("GRAV", [np.zeros((0, 3))]))
            yield Recording(
                f"GoPro {name}",
                np.arange(count) * duration / count,
                rates[:count],
                forces[:count],
                np.arange(len(up)) * duration / max(len(up), 1),
                up,
            )


def gpmf_streams(data: bytes) -> Iterator[tuple[str, Array]]:
    """Scaled values (N, 3) of the inertial streams in GoPro's metadata (key, type, length, value).

    Channels are put into x, y, z by ``ORIN`` where a stream has it.
    """
    scale, order = 1.0, "XYZ"
    at = 0
    while at + 8 <= len(data):
        key, kind = data[at : at + 4].decode("latin-1"), data[at + 4]
        size, repeat = data[at + 5], struct.unpack(">H", data[at + 6 : at + 8])[0]
        length = size * repeat
        value = data[at + 8 : at + 8 + length]
        at += 8 + (length + 3) // 4 * 4
        if kind == 0:
            yield from gpmf_streams(value)
        elif key == "SCAL" and kind == ord("s"):
            scale = float(struct.unpack(">h", value[:2])[0])
        elif key == "ORIN":
            order = value.decode("latin-1").strip("\0")
        elif key in ("GYRO", "ACCL", "GRAV") and kind == ord("s"):
            channels = np.frombuffer(value, ">i2").reshape(-1, 3) / scale
            values = np.empty_like(channels)
            for column, axis in enumerate(order):
                sign = 1.0 if axis.isupper() else -1.0
                values[:, "XYZ".index(axis.upper())] = sign * channels[:, column]
            yield key, values


def densities(recording: Recording) -> tuple[float, float]:
    """Noise densities of gyroscope and accelerometer: Allan deviation at one sample.

    The Allan deviation over one period is the standard deviation of neighbours' differences over
    the square root of two; the median axis of the stillest second counts.
    """
    rate_hz = (len(recording.stamps_s) - 1) / float(np.ptp(recording.stamps_s))
    window = int(rate_hz)
    starts = range(0, len(recording.rates) - window, window // 4)

    def density(values: Array) -> float:
        steps = np.diff(values, axis=0)
        allan = [np.median(steps[i : i + window].std(0)) / np.sqrt(2.0) for i in starts]
        return float(min(allan)) / np.sqrt(rate_hz)

    return density(recording.rates), density(recording.forces)


def play(recording: Recording, config: InertialConfig) -> tuple[Array, Array, Array]:
    """Filter a recording at 30 images a second.

    Returns:
        (T,) times, (T, 3) "up" in IMU axes, and (T, 2, 2) covariance of the tilt, world axes.
    """
    estimator = CameraMotionEstimator(config)
    times = np.arange(0.6, recording.stamps_s[-1] - 0.02, 1.0 / _FPS)
    ups, covariances = [], []
    done = 0
    for time_s in times.tolist():
        until = int(np.searchsorted(recording.stamps_s, time_s + 0.02))
        for k in range(done, until):
            estimator.add_imu(
                ImuSample(float(recording.stamps_s[k]), recording.rates[k], recording.forces[k])
            )
        done = until
        motion = estimator.motion_at(time_s)
        ups.append(motion.rotation_world_camera.T @ [0.0, 0.0, 1.0])
        covariances.append(motion.rotation_covariance[:2, :2])
    return times, np.array(ups), np.array(covariances)


def against_device(
    recording: Recording, times: Array, ups: Array, covariances: Array
) -> tuple[float, float]:
    """Mean tilt (degrees) against the device's own, and the share inside 95 %; NaN without."""
    if len(recording.up) < 30:
        return float("nan"), float("nan")
    columns = [np.interp(times, recording.up_stamps_s, column) for column in recording.up.T]
    own = np.stack(columns, 1)
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    settled = times > _SETTLED_S
    ups, own, covariances = ups[settled], own[settled], covariances[settled]
    turn, _ = Rotation.align_vectors(ups, own)
    aligned = turn.apply(own)
    cosine = np.clip(np.einsum("ni,ni->n", aligned, ups), -1.0, 1.0)
    if float(cosine.mean()) < _AGREES:
        return float("nan"), float("nan")
    angle = np.arccos(cosine)
    variance = np.trace(covariances, axis1=1, axis2=2) / 2.0
    return float(np.degrees(angle.mean())), float((angle**2 / variance < _INSIDE_2).mean())


def main() -> None:
    """Fetch, measure, filter and print."""
    parser = argparse.ArgumentParser(description="Real IMUs through the attitude filter.")
    parser.add_argument("--cache", type=Path, default=None, help="where the packages are kept")
    options = parser.parse_args()
    config = InertialConfig(mounting_std=0.0)
    table = Table(title="Real IMUs")
    for heading in (
        "recording", "s", "Hz", "gyroscope\nrad/s/√Hz", "of default", "accelerometer\nm/s²/√Hz",
        "of default", "mean force\nm/s²", "tilt from the\ndevice's, deg", "stated\ndeg",
        "inside\n95 %",
    ):  # fmt: skip
        table.add_column(heading, justify="left" if heading == "recording" else "right")
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.cache or Path(scratch)
        fetch(folder)
        for recording in [*neon_recordings(folder), *gopro_recordings(folder)]:
            gyroscope, accelerometer = densities(recording)
            times, ups, covariances = play(recording, config)
            tilt, inside = against_device(recording, times, ups, covariances)
            stated = np.degrees(np.sqrt(np.trace(covariances, axis1=1, axis2=2).mean()))
            table.add_row(
                recording.name,
                f"{recording.stamps_s[-1]:.1f}",
                f"{len(recording.stamps_s) / recording.stamps_s[-1]:.0f}",
                f"{gyroscope:.1e}",
                f"{gyroscope / config.gyroscope_noise_density:.1f}",
                f"{accelerometer:.1e}",
                f"{accelerometer / config.accelerometer_noise_density:.1f}",
                f"{np.linalg.norm(recording.forces, axis=1).mean():.2f}",
                "-" if np.isnan(tilt) else f"{tilt:.2f}",
                f"{stated:.2f}",
                "-" if np.isnan(inside) else f"{inside:.2f}",
            )
    Console(width=170).print(table)


if __name__ == "__main__":
    main()
