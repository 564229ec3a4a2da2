"""Pose error of the tracker on real video with 3D ground truth, beside MediaPipe's.

    python benchmarks/evaluate_video.py DIR [--tracks FOLDER] [--save FOLDER] [--weights FILE]

DIR holds ``cam01.mp4``, ``cam02.mp4``, ... and ``single_gt.npz``: ``joints`` (1, F, 17, 3)
COCO-17 in world metres, ``valid`` (1, F, 17), ``K`` (C, 3, 3), ``dist`` (C, 5), ``R`` (C, 3, 3)
and ``t`` (C, 3) with x_camera = R X + t, and ``fps``. The videos are tracked here, or read from
FOLDER/cam01.npz, ... as ``humor-ros track`` wrote them. Joints 5 to 16 count (the face does
not), at 30 frames a second: of 60 fps video every second frame.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from humor_ros.geometry.camera import PinholeCamera
from humor_ros.io.track_file import TrackFile, TrackWriter

Array = NDArray[np.float64]

#: Rate at which all figures are taken, frames per second.
RATE = 30.0
#: Shoulders, elbows, wrists, hips, knees, ankles of COCO-17; and the hips among them.
BODY = slice(5, 17)
HIPS = (6, 7)
LIMBS = ((0, 2), (2, 4), (1, 3), (3, 5), (6, 8), (8, 10), (7, 9), (9, 11))

#: MediaPipe Pose 0.10.21 (full), its world landmarks, on the same frames and joints:
#: PA-MPJPE mm, MPJPE mm, acceleration error m/s² (measured once, README of the data set).
MEDIAPIPE = {"cam01": (83.4, 110.0, 24.7), "cam02": (132.9, 235.6, 148.0)}


@dataclass(frozen=True)
class Truth:
    """Ground truth of one camera: joints (F, 12, 3) in its optical frame at 30 fps, metres."""

    name: str
    frames: NDArray[np.int64]
    joints: Array
    camera: PinholeCamera
    fps: float


@dataclass(frozen=True)
class Scores:
    """Figures of one camera; millimetres unless named otherwise."""

    seen: int
    total: int
    people: int
    pa_mpjpe: float
    mpjpe: float
    acceleration_ms2: float
    hip_position: float
    hip_depth: float
    bone_std: float
    scale: float


def read_truth(folder: Path) -> list[Truth]:
    """Ground truth of every camera that has both calibration and video."""
    import cv2

    path = folder / "single_gt.npz"
    if not path.is_file():
        raise FileNotFoundError(f"ground truth not found: {path}")
    data = np.load(path)
    fps = float(data["fps"])
    frames = np.arange(0, data["joints"].shape[1], max(1, round(fps / RATE)))
    world = data["joints"][0, frames, BODY].astype(np.float64)
    world[~data["valid"][0, frames, BODY]] = np.nan
    truths = []
    for index, name in enumerate(data["cam_names"].tolist()[: len(data["K"])]):
        video = cv2.VideoCapture(str(folder / f"{name}.mp4"))
        if not video.isOpened():
            raise FileNotFoundError(f"video not found or unreadable: {folder / name}.mp4")
        size = int(video.get(cv2.CAP_PROP_FRAME_WIDTH)), int(video.get(cv2.CAP_PROP_FRAME_HEIGHT))
        distortion = tuple(data["dist"][index].tolist())
        camera = PinholeCamera(*size, data["K"][index], distortion)
        joints = world @ data["R"][index].T + data["t"][index]
        truths.append(Truth(name, frames, joints, camera, fps))
    return truths


def track_video(
    truth: Truth, video: Path, output: Path, options: dict[str, Any], calibrated: bool
) -> float:
    """Track the frames that count; returns seconds a frame (detection and networks)."""
    import cv2

    from humor_ros.pipeline import PipelineConfig, TrackingPipeline

    pipeline = TrackingPipeline(PipelineConfig(**options))
    if calibrated:
        pipeline.set_camera(truth.camera)
    wanted = set(truth.frames.tolist())
    reader, index, spent = cv2.VideoCapture(str(video)), 0, 0.0
    with TrackWriter(output, fps=RATE) as writer:
        while True:
            good, image = reader.read()
            if not good:
                break
            if index in wanted:
                start = time.perf_counter()
                result = pipeline.process(image, index / truth.fps)
                spent += time.perf_counter() - start
                writer.append(index, result, pipeline.camera)
            index += 1
    return spent / max(1, len(wanted))


def matched_joints(track: TrackFile, truth: Truth) -> tuple[Array, int]:
    """(F, 12, 3) joints of whoever stands nearest to the true person in each image, NaN where
    nobody is found, and the number of different people taken."""
    joints = np.full_like(truth.joints, np.nan)
    taken: set[str] = set()
    people_at = {frame: people for frame, _, people in track.by_frame()}
    for index, frame in enumerate(truth.frames.tolist()):
        people = people_at.get(frame, [])
        centre = np.nanmean(truth.joints[index], axis=0)
        place = truth.camera.project(centre[None])[0]

        def distance(person: Any, place: Array = place) -> float:
            box = person.box_xyxy.astype(np.float64)
            return float(np.hypot(*((box[:2] + box[2:]) / 2.0 - place)))

        if people:
            nearest = min(people, key=distance)
            joints[index] = nearest.coco17_camera[BODY]
            taken.add(nearest.person_id)
    return joints, len(taken)


def score(joints: Array, people: int, truth: Truth) -> Scores:
    """Compare joints (F, 12, 3) with the truth, frames without either left out."""
    import torch

    from humor_ros.evaluation.metrics import (
        acceleration_error_ms2,
        align_by_pelvis,
        mpjpe_mm,
        pa_mpjpe_mm,
    )

    good = np.isfinite(joints).all(axis=(1, 2)) & np.isfinite(truth.joints).all(axis=(1, 2))
    if not good.any():
        nothing = (float("nan"),) * 7
        return Scores(0, len(good), people, *nothing)
    predicted, true = torch.from_numpy(joints), torch.from_numpy(truth.joints)
    centred = align_by_pelvis(predicted, hips=HIPS), align_by_pelvis(true, hips=HIPS)
    keep = torch.from_numpy(good)
    triples = torch.from_numpy(good[2:] & good[1:-1] & good[:-2])
    acceleration = acceleration_error_ms2(*centred, fps=RATE)[triples]
    hips = (predicted - true)[keep][:, list(HIPS)].mean(dim=1).numpy() * 1000.0
    lengths, true_lengths = (
        np.stack([np.linalg.norm(x[good][:, a] - x[good][:, b], axis=-1) for a, b in LIMBS])
        for x in (joints, truth.joints)
    )
    return Scores(
        seen=int(good.sum()),
        total=len(good),
        people=people,
        pa_mpjpe=float(pa_mpjpe_mm(predicted[keep], true[keep]).mean()),
        mpjpe=float(mpjpe_mm(centred[0][keep], centred[1][keep]).mean()),
        acceleration_ms2=float(acceleration.mean()),
        hip_position=float(np.linalg.norm(hips, axis=1).mean()),
        hip_depth=float(np.abs(hips[:, 2]).mean()),
        bone_std=float(lengths.std(axis=1).mean() * 1000.0),
        scale=float(lengths.mean() / true_lengths.mean()),
    )


def print_table(results: dict[str, Scores], milliseconds: dict[str, float]) -> None:
    """Print one row a camera and method."""
    head = ("camera", "method", "frames", "people", "PA-MPJPE", "MPJPE", "accel", "hip", "depth")
    print("".join(f"{word:>11}" for word in (*head, "bone std", "size", "ms/frame")))
    for name, scores in results.items():
        ours = (
            f"{scores.seen}/{scores.total}",
            f"{scores.people}",
            *(f"{value:.1f}" for value in (scores.pa_mpjpe, scores.mpjpe)),
            f"{scores.acceleration_ms2:.1f}",
            *(f"{value:.0f}" for value in (scores.hip_position, scores.hip_depth)),
            f"{scores.bone_std:.1f}",
            f"{scores.scale:.2f}",
            f"{milliseconds[name]:.0f}" if name in milliseconds else "-",
        )
        print("".join(f"{word:>11}" for word in (name, "humor_ros", *ours)))
        if name in MEDIAPIPE:
            theirs = (f"{value:.1f}" for value in MEDIAPIPE[name])
            print("".join(f"{word:>11}" for word in (name, "MediaPipe", "-", "-", *theirs)))
    print(
        "\nmillimetres; accel: acceleration error, m/s². Joints 5-16 of COCO at 30 fps. MPJPE and\n"
        "accel after centring the hips. hip: error of the hips' middle in the camera frame, and\n"
        "depth its part along the line of sight. bone std: of eight limbs over time. size: limbs\n"
        "over the true ones. MediaPipe Pose 0.10.21 (full), world landmarks, same frames."
    )


def main(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Videos and single_gt.npz.")],
    tracks: Annotated[Path | None, typer.Option(help="Folder of cam01.npz, ...")] = None,
    save: Annotated[Path | None, typer.Option(help="Keep the track files here.")] = None,
    weights: Annotated[Path | None, typer.Option(help="WHAM weights file.")] = None,
    body: Annotated[Path | None, typer.Option(help="SMPL body file.")] = None,
    calibrated: Annotated[bool, typer.Option(help="Give the tracker K and distortion.")] = True,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
) -> None:
    """Print pose errors on real video with 3D ground truth, beside MediaPipe's."""
    import tempfile

    import torch

    torch.set_num_threads(threads)
    results: dict[str, Scores] = {}
    milliseconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as temporary:
        source = tracks or save or Path(temporary)
        source.mkdir(parents=True, exist_ok=True)
        for truth in read_truth(folder):
            path = source / f"{truth.name}.npz"
            if tracks is None:
                options = {"weights": weights, "body": body}
                video = folder / f"{truth.name}.mp4"
                seconds = track_video(truth, video, path, options, calibrated)
                milliseconds[truth.name] = 1000.0 * seconds
            joints, people = matched_joints(TrackFile.read(path), truth)
            results[truth.name] = score(joints, people, truth)
    print_table(results, milliseconds)


if __name__ == "__main__":
    typer.run(main)
