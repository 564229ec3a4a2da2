"""Camera calibration files of ROS, read and written."""

from __future__ import annotations

import numpy as np
import pytest

from humor_ros.geometry.camera import PinholeCamera
from humor_ros.io import CameraInfoError, read_camera_info, write_camera_info

AS_CAMERA_CALIBRATION_WRITES = """\
image_width: 640
image_height: 480
camera_name: narrow_stereo
camera_matrix:
  rows: 3
  cols: 3
  data: [ 535.4,   0.  , 320.1,
            0.  , 539.2, 247.6,
            0.  ,   0.  ,   1.  ]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.17, 0.03, 0.0013, -0.0003, 0.0]
rectification_matrix:
  rows: 3
  cols: 3
  data: [1, 0, 0, 0, 1, 0, 0, 0, 1]
projection_matrix:
  rows: 3
  cols: 4
  data: [500, 0, 320, 0, 0, 500, 240, 0, 0, 0, 1, 0]
"""

AS_TOPIC_ECHO_WRITES = """\
header:
  stamp: {sec: 1, nanosec: 2}
  frame_id: camera_color_optical_frame
height: 480
width: 640
distortion_model: rational_polynomial
d: [0.1, 0.2, 0.0, 0.0, 0.3, 0.1, 0.1, 0.1]
k: [600.0, 0.0, 320.0, 0.0, 601.0, 240.0, 0.0, 0.0, 1.0]
---
"""


@pytest.fixture
def write(tmp_path):
    def inner(text):
        path = tmp_path / "camera.yaml"
        path.write_text(text)
        return path

    return inner


def test_the_layout_of_camera_calibration_is_read(write):
    camera = read_camera_info(write(AS_CAMERA_CALIBRATION_WRITES))
    assert (camera.width, camera.height) == (640, 480)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (535.4, 539.2, 320.1, 247.6)
    assert camera.distortion == (-0.17, 0.03, 0.0013, -0.0003, 0.0)
    assert camera.model == "plumb_bob"
    assert not camera.assumed


def test_the_layout_of_topic_echo_is_read(write):
    camera = read_camera_info(write(AS_TOPIC_ECHO_WRITES))
    assert camera.fy == 601.0
    assert camera.model == "rational_polynomial"


@pytest.mark.parametrize(
    ("model", "distortion"),
    [
        ("plumb_bob", ()),
        ("plumb_bob", (-0.2, 0.1, 0.001, 0.002, 0.03)),
        ("equidistant", (0.1, -0.02, 0.003, 0.0)),
        ("rational_polynomial", (0.1, 0.2, 0.0, 0.0, 0.3, 0.1, 0.1, 0.1)),
    ],
)
def test_what_is_written_is_read_again(tmp_path, model, distortion):
    matrix = np.array([[700.25, 0, 333.5], [0, 710.75, 222.125], [0, 0, 1]])
    camera = PinholeCamera(800, 600, matrix, distortion, model)
    write_camera_info(tmp_path / "out.yaml", camera)
    found = read_camera_info(tmp_path / "out.yaml")
    np.testing.assert_array_equal(found.matrix, camera.matrix)
    assert (found.width, found.height) == (800, 600)
    assert (found.model, found.distortion) == (camera.model, camera.distortion)


def test_no_distortion_entries_mean_none(write):
    text = AS_CAMERA_CALIBRATION_WRITES.replace("[-0.17, 0.03, 0.0013, -0.0003, 0.0]", "[]")
    assert read_camera_info(write(text)).distortion == ()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("535.4", "0.0", "camera.yaml"),
        ("539.2", ".nan", "camera.yaml"),
        ("camera_matrix", "matrix", "camera_matrix"),
        ("image_width", "columns", "image_width"),
        ("plumb_bob", "fancy_lens", "fancy_lens"),
        ("640", "-640", "camera.yaml"),
        ("640", "wide", "camera.yaml"),
        ("535.4", "a", "camera_matrix must be a list of numbers"),
        ("535.4, ", "", "must have 9 numbers, got 8"),
        ("-0.17, 0.03, ", "", "camera.yaml"),
    ],
)
def test_a_calibration_that_cannot_be_used_is_named(write, old, new, reason):
    text = AS_CAMERA_CALIBRATION_WRITES.replace(old, new)
    with pytest.raises(CameraInfoError, match=reason) as error:
        read_camera_info(write(text))
    assert "camera.yaml" in str(error.value)


@pytest.mark.parametrize("text", ["", "[1, 2", "- 1\n- 2\n", "just text", "\x00\x01"])
def test_a_file_that_is_no_calibration_is_named(write, text):
    with pytest.raises(CameraInfoError, match=r"camera\.yaml"):
        read_camera_info(write(text))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.yaml"):
        read_camera_info(tmp_path / "nowhere.yaml")
