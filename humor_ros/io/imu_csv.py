"""Inertial samples in a CSV file: ``stamp_s, wx, wy, wz, ax, ay, az``."""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from humor_ros.types import ImuSample

__all__ = ["IMU_COLUMNS", "ImuCsvError", "ImuTable", "read_imu_csv", "write_imu_csv"]

logger = logging.getLogger(__name__)

#: Seconds on the images' clock, rad/s and m/s² in the axes of the IMU.
IMU_COLUMNS = ("stamp_s", "wx", "wy", "wz", "ax", "ay", "az")


class ImuCsvError(ValueError):
    """An IMU file that cannot be used; names the file, the line and what is wrong."""


@dataclass(frozen=True)
class ImuTable:
    """Samples of one file.

    Attributes:
        samples: in order of their stamps.
        invalid_rows: rows left out for a NaN, an infinity or an empty field.
        unordered_rows: rows that stood after one with a later stamp.
    """

    samples: tuple[ImuSample, ...]
    invalid_rows: int
    unordered_rows: int


def read_imu_csv(path: str | Path) -> ImuTable:
    """Read a file of inertial samples.

    Args:
        path: of the CSV file. The header must name :data:`IMU_COLUMNS`, in any order;
            further columns are ignored.

    Returns:
        samples sorted by stamp; rows that are not finite are left out and counted. A row
        without any acceleration (three empty fields or NaN) is a sample of the gyroscope.

    Raises:
        FileNotFoundError: if the file does not exist.
        ImuCsvError: if the header lacks a column, a field is no number, or no row is left.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"IMU file not found: {path}")
    samples: list[ImuSample] = []
    invalid = unordered = 0
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = csv.reader(stream, skipinitialspace=True)
            columns = _columns(path, next(rows, []))
            for row in rows:
                if not row or row[0].startswith("#"):
                    continue
                values = _row(path, rows.line_num, row, columns)
                force = None if all(map(math.isnan, values[4:])) else np.array(values[4:])
                if not all(map(math.isfinite, values[: 4 if force is None else 7])):
                    invalid += 1
                    continue
                if samples and values[0] < samples[-1].stamp_s:
                    unordered += 1
                samples.append(ImuSample(values[0], np.array(values[1:4]), force))
    except (csv.Error, UnicodeDecodeError) as error:
        raise ImuCsvError(f"{path} is not a CSV file: {error}") from error
    if not samples:
        raise ImuCsvError(f"{path} holds no usable sample ({invalid} rows are not finite)")
    if invalid or unordered:
        logger.warning(
            "%s: %d rows that are not finite left out, %d out of order", path, invalid, unordered
        )
    samples.sort(key=lambda sample: sample.stamp_s)
    return ImuTable(tuple(samples), invalid, unordered)


def write_imu_csv(path: str | Path, samples: Iterable[ImuSample]) -> None:
    """Write samples to a file that :func:`read_imu_csv` reads.

    Args:
        path: of the file; its folder must exist.
        samples: a missing acceleration is written as NaN.
    """
    with Path(path).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(IMU_COLUMNS)
        for sample in samples:
            force = sample.linear_acceleration
            values = [*sample.angular_velocity, *(np.full(3, np.nan) if force is None else force)]
            writer.writerow([repr(float(sample.stamp_s)), *(repr(float(v)) for v in values)])


def _columns(path: Path, header: list[str]) -> list[int]:
    """Position of each column in the rows."""
    names = [name.strip() for name in header]
    missing = [name for name in IMU_COLUMNS if name not in names]
    if missing:
        raise ImuCsvError(
            f"{path} lacks the column(s) {', '.join(missing)}; its first line must be "
            f"'{', '.join(IMU_COLUMNS)}' (seconds, rad/s, m/s²), found '{', '.join(names)}'"
        )
    return [names.index(name) for name in IMU_COLUMNS]


def _row(path: Path, line: int, row: list[str], columns: list[int]) -> list[float]:
    """Numbers of one row; an empty or absent field is NaN."""
    fields = [row[index].strip() if index < len(row) else "" for index in columns]
    try:
        return [float(field) if field else math.nan for field in fields]
    except ValueError as error:
        raise ImuCsvError(f"{path}, line {line}: {error}") from error
