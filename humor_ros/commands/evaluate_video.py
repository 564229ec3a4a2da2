"""``humor-ros evaluate video``: the tracker on real video with 3D ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from humor_ros.commands.json_option import Json, check_json, model_names, write_numbers
from humor_ros.commands.stream_options import Filter, FitPose, stream_config

__all__ = ["evaluate_video"]


def evaluate_video(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Videos cam01.mp4, ... and single_gt.npz.")
    ],
    json: Json = None,
    weights: Annotated[Path | None, typer.Option(help="WHAM weights file.")] = None,
    body: Annotated[Path | None, typer.Option(help="SMPL body file.")] = None,
    fps: Annotated[float, typer.Option(min=1.0, help="Rate; of faster video every n-th.")] = 30.0,
    reference: Annotated[
        Path | None, typer.Option(help="JSON of an earlier run or of another method, shown below.")
    ] = None,
    tracks: Annotated[
        Path | None, typer.Option(help="Folder of cam01.npz, ... to score; nothing is tracked.")
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Keep the track files in this folder.")] = None,
    calibrated: Annotated[bool, typer.Option(help="Give the tracker K and distortion.")] = True,
    gravity: Annotated[bool, typer.Option(help="Give the tracker the camera's tilt.")] = True,
    fit_pose: FitPose = True,
    filter: Filter = True,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
) -> None:
    """Print pose errors camera by camera: causal, fixed cameras, COCO joints 5-16."""
    import tempfile
    from dataclasses import asdict

    import torch

    from humor_ros.detection import DetectorConfig
    from humor_ros.evaluation.report import print_tables
    from humor_ros.evaluation.video import find_person, score_person, track_camera
    from humor_ros.evaluation.video_tables import reference_rows, video_table
    from humor_ros.evaluation.video_truth import read_video_truth
    from humor_ros.io.track_file import TrackFile
    from humor_ros.pipeline import PipelineConfig

    check_json(json)
    if tracks is not None and not tracks.is_dir():
        raise typer.BadParameter(f"--tracks: folder not found: {tracks}")
    references = [] if reference is None else reference_rows(reference)
    torch.set_num_threads(threads)
    config = PipelineConfig(
        detector=DetectorConfig(threads=threads),
        weights=weights,
        body=body,
        stream=stream_config(fit_pose, filter, camera_fixed=False),
    )
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        place = tracks or save or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        for truth in read_video_truth(folder, fps=fps):
            path = place / f"{truth.name}.npz"
            told: dict[str, Any] = {}
            if tracks is None:
                told["ms_per_frame"] = track_camera(
                    truth, path, config, calibrated=calibrated, gravity=gravity
                )
            file = TrackFile.read(path)
            for person, name in enumerate(truth.people):
                scores = score_person(find_person(file, truth, person), truth, person)
                rows.append(
                    {
                        "camera": truth.name,
                        "person": name,
                        "method": "humor_ros",
                        **asdict(scores),
                        **told,
                    }
                )
    table = video_table(rows, references)
    print_tables([table])
    settings = {
        "folder": folder.name,
        **model_names(weights, body),
        "fps": fps,
        "calibrated": calibrated,
        "gravity": gravity,
        "fit_pose": fit_pose,
        "filter": filter,
        "threads": threads,
        "reference": None if reference is None else reference.name,
    }
    write_numbers(json, [table], settings)
