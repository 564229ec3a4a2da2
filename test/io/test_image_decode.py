"""Raw and compressed image messages to BGR, with rosbags-image and OpenCV as the oracles."""

from __future__ import annotations

import array
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from humor_ros.io import SUPPORTED_ENCODINGS, ImageDecodeError, decode_compressed, decode_image

HEIGHT, WIDTH = 12, 16
PIXEL_BYTES = {
    "bgr8": 3, "8uc3": 3, "rgb8": 3, "bgra8": 4, "8uc4": 4, "rgba8": 4, "mono8": 1, "8uc1": 1,
    "bgr16": 6, "rgb16": 6, "bgra16": 8, "rgba16": 8, "mono16": 2,
    "yuv422": 2, "uyvy": 2, "yuv422_yuy2": 2, "yuyv": 2,
    **{f"bayer_{name}8": 1 for name in ("rggb", "bggr", "gbrg", "grbg")},
    **{f"bayer_{name}16": 2 for name in ("rggb", "bggr", "gbrg", "grbg")},
}  # fmt: skip


def noise(count: int) -> bytes:
    return np.random.default_rng(count).integers(0, 256, count, dtype=np.uint8).tobytes()


def picture() -> np.ndarray:
    """Smooth colours, so that chroma subsampling loses little."""
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.dstack([10 * u, 15 * v, 255 - 8 * u]).astype(np.uint8)


def test_every_supported_encoding_is_listed_here():
    assert set(PIXEL_BYTES) | {"nv12", "nv21"} == set(SUPPORTED_ENCODINGS)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("encoding", sorted(set(PIXEL_BYTES) - {"8uc1", "8uc3", "8uc4"}))
def test_agrees_with_rosbags_image(encoding, big):
    oracle = pytest.importorskip("rosbags.image")
    step = WIDTH * PIXEL_BYTES[encoding]
    data = noise(step * HEIGHT)
    message = SimpleNamespace(
        height=HEIGHT, width=WIDTH, encoding=encoding, is_bigendian=big, data=data
    )
    expected = oracle.image_to_cvimage(message)
    if not (big and "16" not in encoding):  # it swaps the bytes of 8-bit samples for nothing
        expected = oracle.image_to_cvimage(message, "bgr8")
        found = decode_image(HEIGHT, WIDTH, encoding, step, big, data)
        assert found.shape == (HEIGHT, WIDTH, 3)
        assert found.dtype == np.uint8
        np.testing.assert_allclose(found.astype(int), expected.astype(int), atol=1)


@pytest.mark.parametrize("encoding", ["nv12", "nv21"])
def test_planar_yuv_agrees_with_rosbags_image(encoding):
    """rosbags-image counts the chroma rows to the height, image messages do not."""
    oracle = pytest.importorskip("rosbags.image")
    data = noise(WIDTH * HEIGHT * 3 // 2)
    message = SimpleNamespace(
        height=HEIGHT * 3 // 2, width=WIDTH, encoding=encoding, is_bigendian=False, data=data
    )
    expected = oracle.image_to_cvimage(message, "bgr8")
    np.testing.assert_array_equal(
        decode_image(HEIGHT, WIDTH, encoding, WIDTH, False, data), expected
    )


@pytest.mark.parametrize("encoding", sorted(PIXEL_BYTES))
def test_padding_at_the_end_of_rows_is_skipped(encoding):
    used = WIDTH * PIXEL_BYTES[encoding]
    rows = np.frombuffer(noise(used * HEIGHT), dtype=np.uint8).reshape(HEIGHT, used)
    padded = np.hstack([rows, np.full((HEIGHT, 6), 77, dtype=np.uint8)])
    plain = decode_image(HEIGHT, WIDTH, encoding, used, False, rows.tobytes())
    found = decode_image(HEIGHT, WIDTH, encoding, used + 6, False, padded.tobytes())
    np.testing.assert_array_equal(found, plain)
    without_last_padding = padded.tobytes()[:-6]
    found = decode_image(HEIGHT, WIDTH, encoding, used + 6, False, without_last_padding)
    np.testing.assert_array_equal(found, plain)


@pytest.mark.parametrize(
    ("encoding", "code", "tolerance"),
    [
        ("rgb8", cv2.COLOR_BGR2RGB, 0),
        ("bgra8", cv2.COLOR_BGR2BGRA, 0),
        ("rgba8", cv2.COLOR_BGR2RGBA, 0),
        ("yuv422", cv2.COLOR_BGR2YUV_UYVY, 8),
        ("yuv422_yuy2", cv2.COLOR_BGR2YUV_YUY2, 8),
    ],
)
def test_colours_come_back_in_their_channels(encoding, code, tolerance):
    image = picture()
    coded = cv2.cvtColor(image, code)
    found = decode_image(HEIGHT, WIDTH, encoding, coded.strides[0], False, coded.tobytes())
    np.testing.assert_allclose(found.astype(int), image.astype(int), atol=tolerance)


def test_a_red_pixel_of_an_rggb_sensor_is_red():
    mosaic = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    mosaic[0::2, 0::2] = 200  # red sites
    found = decode_image(HEIGHT, WIDTH, "bayer_rggb8", WIDTH, False, mosaic.tobytes())
    blue, green, red = found[4:-4, 4:-4].reshape(-1, 3).max(axis=0)
    assert red == 200
    assert (blue, green) == (0, 0)


@pytest.mark.parametrize("big", [False, True])
def test_sixteen_bits_are_scaled_in_either_byte_order(big):
    values = np.array([[0, 257, 65535, 32896]], dtype=">u2" if big else "<u2")
    found = decode_image(1, 4, "mono16", 8, big, values.tobytes())
    np.testing.assert_array_equal(found[0, :, 0], [0, 1, 255, 128])


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, list])
def test_any_buffer_of_bytes_is_taken(kind):
    data = picture().tobytes()
    found = decode_image(HEIGHT, WIDTH, "bgr8", WIDTH * 3, False, kind(data))
    np.testing.assert_array_equal(found, picture())


def test_the_array_of_rclpy_is_taken_without_a_copy():
    data = array.array("B", picture().tobytes())
    found = decode_image(HEIGHT, WIDTH, "bgr8", WIDTH * 3, False, data)
    assert np.shares_memory(found, np.frombuffer(data, dtype=np.uint8))


def test_a_step_of_zero_means_no_padding():
    found = decode_image(HEIGHT, WIDTH, "bgr8", 0, False, picture().tobytes())
    np.testing.assert_array_equal(found, picture())


@pytest.mark.parametrize("encoding", ["", "bgr9", "yuv420", "rgb10"])
def test_unknown_encodings_are_named_with_those_supported(encoding):
    with pytest.raises(ImageDecodeError, match=r"not supported.*bgr8.*bayer_rggb8") as error:
        decode_image(2, 2, encoding, 6, False, bytes(12))
    assert repr(encoding) in str(error.value)


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
def test_depth_images_are_refused_with_a_hint(encoding):
    with pytest.raises(ImageDecodeError, match="depth image: choose the colour topic"):
        decode_image(2, 2, encoding, 8, False, bytes(16))


@pytest.mark.parametrize("encoding", ["bgr8", "mono16", "yuv422", "nv12", "bayer_gbrg8"])
def test_data_that_is_cut_off_is_refused(encoding):
    with pytest.raises(ImageDecodeError, match=f"{encoding} image data is cut off: 40 bytes"):
        decode_image(HEIGHT, WIDTH, encoding, 0, False, bytes(40))


@pytest.mark.parametrize("data", [b"", [], array.array("B"), memoryview(b"")])
def test_no_data_at_all_is_refused(data):
    with pytest.raises(ImageDecodeError, match="cut off: 0 bytes"):
        decode_image(2, 2, "bgr8", 6, False, data)


@pytest.mark.parametrize(("height", "width"), [(0, 4), (4, 0), (-1, 4)])
def test_empty_images_are_refused(height, width):
    with pytest.raises(ImageDecodeError, match="image is empty"):
        decode_image(height, width, "bgr8", 0, False, b"")


def test_a_step_shorter_than_a_row_is_refused():
    with pytest.raises(ImageDecodeError, match=r"step 10 .* less than its row of 48 bytes"):
        decode_image(HEIGHT, WIDTH, "bgr8", 10, False, bytes(1000))


@pytest.mark.parametrize("encoding", ["yuv422", "nv12"])
def test_odd_sizes_of_subsampled_images_are_refused(encoding):
    with pytest.raises(ImageDecodeError, match="even"):
        decode_image(2, 3, encoding, 0, False, bytes(100))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_compressed_images_come_back(suffix):
    image = cv2.resize(picture(), (160, 120))
    _, data = cv2.imencode(suffix, image)
    found = decode_compressed(f"bgr8; {suffix[1:]} compressed bgr8", data.tobytes())
    assert found.shape == (120, 160, 3)
    assert np.abs(found.astype(int) - image).mean() < 6


def test_compressed_grey_images_have_three_channels():
    _, data = cv2.imencode(".png", picture()[:, :, 0])
    assert decode_compressed("mono8; png compressed", data.tobytes()).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize(
    "image_format",
    ["16UC1; compressedDepth png", "16UC1; png compressed", "32FC1; compressedDepth"],
)
def test_compressed_depth_is_refused(image_format):
    _, data = cv2.imencode(".png", np.zeros((4, 4), np.uint16))
    with pytest.raises(ImageDecodeError, match="depth image"):
        decode_compressed(image_format, data.tobytes())


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_compressed_images_that_are_cut_off_are_refused(suffix, share):
    random = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    data = cv2.imencode(suffix, random)[1].tobytes()
    with pytest.raises(ImageDecodeError, match="cut off"):
        decode_compressed(suffix[1:], data[: int(len(data) * share)])


@pytest.mark.parametrize(("data", "text"), [(b"", "no data"), (b"not a picture", "not a picture")])
def test_compressed_data_that_is_no_image_is_refused(data, text):
    with pytest.raises(ImageDecodeError, match=text):
        decode_compressed("jpeg", data)
