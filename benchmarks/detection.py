#!/usr/bin/env python3
"""Measures detection and tracking: time for each image, and error where the truth is known.

    python benchmarks/detection.py                 # the evaluation video in ../shared, if there
    python benchmarks/detection.py --video my.mp4  # any video; time and events only

Images are scaled to 1280x720 (or 720x1280) for the times; "cpu" is the processor time of the
median image, which other programs disturb least. One thread unless --threads says more. Errors
are those of joints 5 to 16 in pixels of the original video.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from humor_ros.detection import DetectorConfig, PeopleTracker, create_detector
from humor_ros.types import Image, Track, TrackingState

EVALUATION = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "eval"
EVENTS = (
    *("newcomers", "lost", "reidentified", "ids_exchanged", "swaps_mended", "jumps_rejected"),
    *("joints_damped", "crops_refined", "whole_image_searches"),
)


def read_video(path: Path, step: int, limit: int) -> tuple[list[Image], float]:
    """Every ``step``-th image of a video, at most ``limit``, and their rate in Hz."""
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise FileNotFoundError(f"cannot read the video '{path}'")
    images: list[Image] = []
    while len(images) < limit and (answer := capture.read())[0]:
        images.append(np.asarray(answer[1], dtype=np.uint8))
        for _ in range(step - 1):
            capture.grab()
    return images, capture.get(cv2.CAP_PROP_FPS) / step


def to_720p(image: Image) -> Image:
    """The image scaled to a short side of 720."""
    scale = 720.0 / min(image.shape[:2])
    scaled = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(scaled, dtype=np.uint8)


def play(
    images: list[Image], rate_hz: float, config: DetectorConfig
) -> tuple[list[list[Track]], list[float], list[float], dict[str, int]]:
    """Tracks, wall and processor seconds of each image, and the tracker's counters."""
    tracker = PeopleTracker(create_detector(config))
    tracks: list[list[Track]] = []
    seconds: list[float] = []
    processor: list[float] = []
    for number, image in enumerate(images):
        start, start_processor = time.perf_counter(), time.process_time()
        tracks.append(tracker.update(image, number / rate_hz))
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - start_processor)
    return tracks, seconds, processor, tracker.counters


def projected_truth(camera: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    """(F, 17, 2) true pixels and (F, 17) whether they count (joints 5 to 16)."""
    truth = np.load(EVALUATION / "single_gt.npz")
    turn = cv2.Rodrigues(truth["R"][camera])[0]
    joints = np.nan_to_num(truth["joints"][0, ::step])
    lens = (turn, truth["t"][camera], truth["K"][camera], truth["dist"][camera])
    pixels = [cv2.projectPoints(points, *lens)[0][:, 0] for points in joints]
    counts = truth["valid"][0, ::step].astype(bool) & (np.arange(17) >= 5)
    return np.array(pixels), counts


def error_row(tracks: list[list[Track]], pixels: np.ndarray, counts: np.ndarray) -> str:
    """Median and 90th percentile of the error, and the share of images tracked."""
    errors, tracked = [], 0
    for people, points, seen in zip(tracks, pixels, counts, strict=False):
        mine = [t for t in people if t.track_id == 1 and t.state is not TrackingState.OCCLUDED]
        if mine:
            tracked += 1
            errors.append(np.linalg.norm(mine[0].keypoints[:, :2] - points, axis=1)[seen])
    all_errors = np.concatenate(errors)
    median, far = np.percentile(all_errors, [50, 90])
    return f"{median:6.1f} {far:6.1f} {100 * tracked / len(tracks):8.0f} %"


def main() -> None:
    """Prints one row for each video and model."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--video", type=Path, help="a video of one's own")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--frames", type=int, default=200, help="most images of each video")
    arguments = parser.parse_args()
    videos = [(arguments.video, 1, None)] if arguments.video else []
    if not videos and EVALUATION.is_dir():
        videos = [(EVALUATION / f"cam0{n + 1}.mp4", 2, n) for n in range(2)]
    if not videos:
        parser.error("no evaluation video; give one with --video")
    print("video        model     p50 ms p90 ms p99 ms cpu ms   median  p90 px  tracked")
    for path, step, camera in videos:
        images, rate_hz = read_video(path, step, arguments.frames)
        scaled = [to_720p(image) for image in images]
        for model in ("thunder", "lightning"):
            config = DetectorConfig(movenet_model=model, threads=arguments.threads)
            _, seconds, processor, counters = play(scaled, rate_hz, config)
            times = " ".join(f"{v * 1e3:6.1f}" for v in np.percentile(seconds[1:], [50, 90, 99]))
            times += f" {np.median(processor[1:]) * 1e3:6.1f}"
            row = ""
            if camera is not None:
                row = error_row(play(images, rate_hz, config)[0], *projected_truth(camera, step))
            print(f"{path.stem:12s} {model:9s} {times}   {row}")
            print("   " + ", ".join(f"{k} {counters.get(k, 0)}" for k in EVENTS))


if __name__ == "__main__":
    main()
