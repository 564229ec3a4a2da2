"""Inertial samples in CSV files."""

from __future__ import annotations

import numpy as np
import pytest

from humor_ros.io import ImuCsvError, read_imu_csv, write_imu_csv
from humor_ros.types import ImuSample

HEADER = "stamp_s, wx, wy, wz, ax, ay, az\n"


@pytest.fixture
def write(tmp_path):
    def inner(text):
        path = tmp_path / "imu.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return inner


def test_rows_become_samples(write):
    table = read_imu_csv(write(HEADER + "0.5, 1, 2, 3, 4, 5, 6\n0.505,1e-3,-2,3,4,5,9.81\n"))
    assert [sample.stamp_s for sample in table.samples] == [0.5, 0.505]
    np.testing.assert_array_equal(table.samples[0].angular_velocity, [1, 2, 3])
    np.testing.assert_array_equal(table.samples[1].linear_acceleration, [4, 5, 9.81])


def test_columns_are_found_by_name(write):
    text = "seq,az,ay,ax,wz,wy,wx,stamp_s\n7,6,5,4,3,2,1,0.5\n"
    sample = read_imu_csv(write("\ufeff" + text)).samples[0]
    np.testing.assert_array_equal(sample.angular_velocity, [1, 2, 3])
    np.testing.assert_array_equal(sample.linear_acceleration, [4, 5, 6])


def test_rows_that_are_not_finite_are_left_out_and_counted(write):
    rows = "0,1,2,3,4,5,6\nnan,1,2,3,4,5,6\n1,nan,2,3,4,5,6\n2,1,2,3,4,inf,6\n3,1,,3,4,5,6\n4,1\n"
    table = read_imu_csv(write(HEADER + rows + "5,1,2,3,4,5,6\n"))
    assert [sample.stamp_s for sample in table.samples] == [0, 5]
    assert table.invalid_rows == 5


def test_rows_without_acceleration_are_samples_of_the_gyroscope(write):
    table = read_imu_csv(write(HEADER + "0,1,2,3,,,\n1,1,2,3,nan,nan,nan\n"))
    assert [sample.linear_acceleration for sample in table.samples] == [None, None]
    assert table.invalid_rows == 0


def test_rows_are_sorted_and_disorder_is_counted(write):
    table = read_imu_csv(write(HEADER + "".join(f"{t},0,0,0,0,0,9\n" for t in (0, 2, 1, 3))))
    assert [sample.stamp_s for sample in table.samples] == [0, 1, 2, 3]
    assert table.unordered_rows == 1


def test_comments_and_empty_lines_are_skipped(write):
    table = read_imu_csv(write(HEADER + "\n# pause\n0,1,2,3,4,5,6\n\n"))
    assert len(table.samples) == 1


def test_what_is_written_is_read_again(tmp_path):
    samples = [
        ImuSample(0.1 + 0.2, np.array([0.1, -0.2, 1e-9]), np.array([0.0, 9.80665, -1 / 3])),
        ImuSample(1.7e9 + 0.005, np.zeros(3), None),
    ]
    write_imu_csv(tmp_path / "out.csv", samples)
    found = read_imu_csv(tmp_path / "out.csv").samples
    for one, other in zip(samples, found, strict=True):
        assert one.stamp_s == other.stamp_s
        np.testing.assert_array_equal(one.angular_velocity, other.angular_velocity)
    np.testing.assert_array_equal(found[0].linear_acceleration, samples[0].linear_acceleration)
    assert found[1].linear_acceleration is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "lacks the column"),
        ("t,wx,wy,wz,ax,ay,az\n0,0,0,0,0,0,0\n", r"lacks the column\(s\) stamp_s;"),
        ("0,0,0,0,0,0,0\n", "its first line must be"),
        (HEADER, "no usable sample"),
        (HEADER + "nan,0,0,0,0,0,0\n", r"no usable sample \(1 rows"),
        (HEADER + "0,0,0,0,0,0,0\n0,zero,0,0,0,0,0\n", "line 3: .*zero"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(write, text, reason):
    with pytest.raises(ImuCsvError, match=reason) as error:
        read_imu_csv(write(text))
    assert "imu.csv" in str(error.value)


def test_a_binary_file_is_refused(tmp_path):
    path = tmp_path / "imu.csv"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(ImuCsvError, match=r"imu\.csv"):
        read_imu_csv(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv"):
        read_imu_csv(tmp_path / "nowhere.csv")
