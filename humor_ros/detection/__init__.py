"""People and their key-points in images, and who is who over time."""

from humor_ros.detection.detector import Detector, create_detector
from humor_ros.detection.detector_config import DetectorConfig
from humor_ros.detection.onnx_session import ModelFileError
from humor_ros.detection.people_tracker import PeopleTracker
from humor_ros.detection.tracker_config import PeopleTrackerConfig

__all__ = [
    "Detector",
    "DetectorConfig",
    "ModelFileError",
    "PeopleTracker",
    "PeopleTrackerConfig",
    "create_detector",
]
