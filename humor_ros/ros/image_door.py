"""The one door to image messages: cv_bridge where it can be imported, our own decoder where not."""

from __future__ import annotations

from sensor_msgs.msg import CompressedImage, Image

from humor_ros.io.image_decode import ImageDecodeError, decode_compressed, decode_image
from humor_ros.types import Image as Picture

try:
    from cv_bridge import CvBridge, CvBridgeError
except ImportError:  # not on PyPI for ROS 2; on a ROS install it comes from apt
    CvBridge = None

__all__ = ["BACKEND", "decode_message"]

#: Name of the library in use for raw images.
BACKEND = "humor_ros" if CvBridge is None else "cv_bridge"
#: cv_bridge is asked for these alone; our decoder has its own answer for the rest.
_BRIDGED = ("bgr8", "rgb8", "bgra8", "rgba8", "mono8")


def decode_message(message: Image | CompressedImage) -> Picture:
    """Turn an image message into BGR.

    Args:
        message: ``sensor_msgs/Image`` or ``sensor_msgs/CompressedImage``.

    Returns:
        (H, W, 3) uint8; may share memory with the message.

    Raises:
        ImageDecodeError: naming the encoding or the size that is wrong.
    """
    if isinstance(message, CompressedImage):
        return decode_compressed(message.format, message.data)
    if CvBridge is not None and message.encoding in _BRIDGED and message.height and message.width:
        try:
            picture: Picture = CvBridge().imgmsg_to_cv2(message, "bgr8")
        except (CvBridgeError, TypeError, ValueError) as error:
            raise ImageDecodeError(f"{message.encoding} image: {error}") from error
        return picture
    return decode_image(
        message.height,
        message.width,
        message.encoding,
        message.step,
        bool(message.is_bigendian),
        message.data,
    )
