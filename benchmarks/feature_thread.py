"""What an image encoder beside the loop costs the loop: step times without, idle and busy.

    python benchmarks/feature_thread.py [--rounds 8] [--seconds 5] [--people 1] [--no-detection]

The causal loop from an image to the people in it: the packaged detector looks (what it answers is
replaced by people who sway), and a WHAM of the published size with random weights lifts them, with
one thread. ``--no-detection`` leaves the detector out: what the encoder costs the lifting alone.

Three trackers take turns in one process: without an encoder; with one that rests (the integrator
runs, which belongs to the published network); with one that never rests, in its own thread of low
priority. The encoder is a shallow one (``--depth``, ``--width``), so that features arrive often,
catch up and are taken over: a deeper one does the same less often. Ratios are medians over the
rounds of each round's ratio, so that what else the machine does falls on all alike. The processor
time of the loop's own thread says what the loop itself has more to do, and stands still where other
processes take the processor; time on the clock holds waiting, too.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from humor_ros.detection import Detector, create_detector
from humor_ros.features import EncoderConfig, FeatureConfig, Hmr2Encoder
from humor_ros.features.config import DecoderConfig, VitConfig
from humor_ros.geometry import PinholeCamera
from humor_ros.pipeline import PipelineConfig, TrackingPipeline
from humor_ros.types import Array, Detection, Image
from humor_ros.wham import WhamConfig, WhamNetwork, save_safetensors

SIZE = (640, 480)
NAMES = ("without", "idle", "busy")


class Standing:
    """People who sway a little, at the cost of a real detector or at none."""

    def __init__(self, people: int, cost: Detector | None) -> None:
        self._cost = cost
        generator = np.random.default_rng(0)
        self._people = [
            np.column_stack(
                (
                    SIZE[0] * (i + 0.5) / people + generator.normal(0.0, 12.0, 17),
                    np.linspace(120.0, 400.0, 17),
                    np.full(17, 0.9),
                )
            )
            for i in range(people)
        ]
        self.frame = 0

    def _now(self) -> list[Array]:
        sway = np.array([4.0 * np.sin(self.frame / 10.0), 0.0, 0.0])
        return [person + sway for person in self._people]

    def detect(self, image_bgr: Image) -> list[Detection]:
        """Everybody."""
        return [Detection(np.r_[p[:, :2].min(0), p[:, :2].max(0)], 0.9, p) for p in self._now()]

    def refine(self, image_bgr: Image, boxes_xyxy: Array) -> Array:
        """The person nearest to each box."""
        if self._cost is not None:
            self._cost.refine(image_bgr, boxes_xyxy)
        people = self._now()
        centres = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
        return np.array(
            [
                min(people, key=lambda p: float(np.linalg.norm(p[:, :2].mean(0) - centre)))
                for centre in centres
            ]
        ).reshape(-1, 17, 3)


def make_trackers(
    folder: Path, people: int, depth: int, width: int, cost: Detector | None
) -> dict[str, tuple[TrackingPipeline, Standing]]:
    """The three trackers by name."""
    torch.manual_seed(0)
    weights, encoder, sizes = (folder / n for n in ("wham.safetensors", "hmr2a.ckpt", "sizes.json"))
    save_safetensors(WhamNetwork(WhamConfig()), weights)
    config = EncoderConfig(
        VitConfig(embed_dim=width, depth=depth, num_heads=8), DecoderConfig(depth=2)
    )
    torch.save({"global_step": 25_000, "state_dict": Hmr2Encoder(config).state_dict()}, encoder)
    sizes.write_text(json.dumps(config.to_dict()), encoding="utf-8")
    features = {
        "without": None,
        "idle": FeatureConfig(encoder, sizes, every=10**9),
        "busy": FeatureConfig(encoder, sizes),
    }
    trackers = {}
    for name in NAMES:
        detector = Standing(people, cost)
        pipeline = TrackingPipeline(
            PipelineConfig(weights=weights, features=features[name]), detector=detector
        )
        pipeline.set_camera(PinholeCamera.assume(*SIZE))
        trackers[name] = pipeline, detector
    return trackers


def step_times(
    pipeline: TrackingPipeline, detector: Standing, seconds: float, rate: float
) -> Array:
    """Seconds (N, 2) of each image, on the clock and of this thread's processor time.

    Images come at a steady rate; the tracker continues where it was.
    """
    image = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    found = []
    start_s = time.monotonic()
    for turn in range(int(seconds * rate)):
        detector.frame += 1
        began_s, own_s = time.perf_counter(), time.thread_time()
        pipeline.lift(pipeline.observe(image, 10.0 + detector.frame / rate))
        found.append((time.perf_counter() - began_s, time.thread_time() - own_s))
        time.sleep(max(0.0, start_s + (turn + 1) / rate - time.monotonic()))
    return np.array(found)


def main(
    rounds: Annotated[int, typer.Option(help="Turns of each tracker.")] = 8,
    seconds: Annotated[float, typer.Option(help="Length of a turn.")] = 5.0,
    people: Annotated[int, typer.Option(help="People in view.")] = 1,
    depth: Annotated[int, typer.Option(help="Blocks of the encoder.")] = 6,
    width: Annotated[int, typer.Option(help="Width of the encoder.")] = 512,
    rate: Annotated[float, typer.Option(help="Images a second.")] = 20.0,
    detection: Annotated[bool, typer.Option(help="Let the packaged detector look.")] = True,
) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        cost = create_detector() if detection else None
        trackers = make_trackers(Path(folder), people, depth, width, cost)
        quantiles: dict[str, list[Array]] = {name: [] for name in NAMES}
        for pipeline, detector in trackers.values():
            step_times(pipeline, detector, 1.0, rate)  # everybody is known and initialised
        for _ in range(rounds):
            for name, (pipeline, detector) in trackers.items():
                times = step_times(pipeline, detector, seconds, rate)
                quantiles[name].append(np.percentile(times, (50, 99), axis=0).T.ravel())
        counters = trackers["busy"][0].counters
        for pipeline, _ in trackers.values():
            pipeline.close()
    kinds = ("clock p50", "clock p99", "own p50", "own p99")
    print("milliseconds, and in brackets over idle, over without")
    print("encoder  " + "".join(f"{kind:>24}" for kind in kinds))
    for name in NAMES:
        own = np.array(quantiles[name])
        ratios = [np.median(own / np.array(quantiles[o]), axis=0) for o in ("idle", "without")]
        cells = [
            f"{1e3 * value:.2f} ({idle:.3f}, {without:.3f})"
            for value, idle, without in zip(np.median(own, axis=0), *ratios, strict=True)
        ]
        print(f"{name:9}" + "".join(f"{cell:>24}" for cell in cells))
    shown = ", ".join(
        f"{key.removeprefix('features.')} {value}"
        for key, value in counters.items()
        if key.startswith("features.")
    )
    print(f"busy: {shown} in {rounds * seconds:g} s")


if __name__ == "__main__":
    typer.run(main)
