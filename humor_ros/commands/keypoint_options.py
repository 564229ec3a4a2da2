"""The options that say where a data set's key-points come from, shared by two commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from humor_ros.evaluation.sequences import KeypointChoice

__all__ = ["Images", "Keypoints", "PosePath", "keypoint_choice"]

Keypoints = Annotated[
    str,
    typer.Option(
        metavar="dataset|detect|projected|FOLDER",
        help="2D key-points: those in the files; a detector's; the truth's (tests, upper bound);"
        " or yours, FOLDER/NAME.npy of shape (T, 17, 3).",
    ),
]
PosePath = Annotated[
    Path | None,
    typer.Option(
        help="Detector of --keypoints detect: a ViTPose folder or a top-down .onnx; the packaged"
        " MoveNet if absent."
    ),
]
Images = Annotated[
    Path | None, typer.Option(help="Folder of the image paths; the data set's if absent.")
]


def keypoint_choice(keypoints: str, pose_path: Path | None, images: Path | None) -> KeypointChoice:
    """The choice that the options make.

    Raises:
        typer.BadParameter: they contradict each other.
    """
    from humor_ros.detection import DetectorConfig
    from humor_ros.evaluation.sequences import KeypointChoice

    if keypoints in ("dataset", "projected"):
        return KeypointChoice(keypoints)
    if keypoints == "detect":
        kind = "movenet" if pose_path is None else "vitpose" if pose_path.is_dir() else "onnx"
        return KeypointChoice(
            "detect", detector=DetectorConfig(kind, pose_path=pose_path), images=images
        )
    if not Path(keypoints).is_dir():
        raise typer.BadParameter(
            f"--keypoints must be dataset, detect, projected or a folder, got {keypoints!r}"
        )
    return KeypointChoice("folder", folder=Path(keypoints))
