"""``humor-ros evaluate keypoints``: how the 2D detector errs on video with 3D ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from humor_ros.commands.json_option import Json, check_json, write_numbers

__all__ = ["evaluate_keypoints"]


def evaluate_keypoints(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Videos cam01.mp4, ... and single_gt.npz.")
    ],
    json: Json = None,
    detector: Annotated[str, typer.Option(help="Detector: movenet, onnx or vitpose.")] = "movenet",
    movenet_model: Annotated[str, typer.Option(help="thunder or lightning.")] = "thunder",
    pose_path: Annotated[Path | None, typer.Option(help="Model of other detectors.")] = None,
    fps: Annotated[float, typer.Option(min=1.0, help="Rate; all phases are run.")] = 30.0,
    alone: Annotated[
        bool, typer.Option(help="Crops at the true boxes, without the tracker.")
    ] = False,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Only the beginning.")] = None,
) -> None:
    """Print bias, spread, memory, tails, swaps and misses of the detector, joint by joint."""
    from humor_ros.detection import DetectorConfig, create_detector
    from humor_ros.evaluation.keypoint_measurement import keypoint_tables, measure_folder
    from humor_ros.evaluation.report import print_tables

    check_json(json)
    config = DetectorConfig(kind=detector, movenet_model=movenet_model, pose_path=pose_path)
    runs = measure_folder(
        folder, create_detector(config), fps=fps, tracked=not alone, seconds=seconds
    )
    tables = keypoint_tables(runs)
    print_tables(tables)
    settings = {
        "folder": folder.name,
        "detector": detector,
        "model": movenet_model if detector == "movenet" else pose_path,
        "fps": fps,
        "tracked": not alone,
        "runs": len(runs),
        "frames": sum(len(run.truth) for run in runs),
    }
    write_numbers(json, tables, settings)
