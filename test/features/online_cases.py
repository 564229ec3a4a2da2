"""A small encoder and a small WHAM that take one another, and people who walk past."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from humor_ros.features import EncoderConfig, FeatureConfig, Hmr2Encoder
from humor_ros.geometry import PinholeCamera
from humor_ros.pipeline import PipelineConfig, TrackingPipeline
from humor_ros.types import Array, Detection, FrameResult, Image
from humor_ros.wham import WhamConfig, WhamNetwork
from humor_ros.wham.checkpoint import save_safetensors
from humor_ros.wham.stream_config import StreamConfig

SIZE = (320, 240)
FEATURES = 24
START = np.array(
    [[0, -70], [3, -73], [-3, -73], [6, -71], [-6, -71], [18, -50], [-18, -50],
     [24, -22], [-24, -22], [26, 4], [-26, 4], [11, 0], [-11, 0],
     [12, 36], [-12, 36], [13, 70], [-13, 70]],
    dtype=float,
)  # fmt: skip


class Walkers:
    """A detector that sees people who move to the right a little at each image."""

    def __init__(self, places: list[float], scale: float = 1.0) -> None:
        self.places, self.scale, self.frame = places, scale, 0

    def people(self) -> list[Array]:
        found = []
        for x in self.places:
            swing = np.sin(self.frame / 5.0) * np.array([1.0, -1.0])
            points = START.copy()
            points[[9, 10], 0] += 8 * swing
            points[[15, 16], 0] += 6 * swing
            points = self.scale * points + np.array([x + 0.5 * self.frame, 120.0])
            found.append(np.concatenate([points, np.full((17, 1), 0.9)], axis=1))
        return found

    def detect(self, image_bgr: Image) -> list[Detection]:
        return [
            Detection(np.r_[points[:, :2].min(0), points[:, :2].max(0)], 0.9, points)
            for points in self.people()
        ]

    def refine(self, image_bgr: Image, boxes_xyxy: Array) -> Array:
        people = self.people()
        answers = []
        for box in boxes_xyxy:
            centre = (box[:2] + box[2:]) / 2
            distance = [np.linalg.norm(p[:, :2].mean(0) - centre) for p in people]
            near = int(np.argmin(distance)) if people else 0
            good = people and distance[near] < (box[2] - box[0])
            answers.append(people[near] if good else np.zeros((17, 3)))
        return np.array(answers).reshape(-1, 17, 3)


def picture(frame: int) -> Image:
    """Noise that changes from image to image."""
    generator = np.random.default_rng(frame)
    return generator.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)


def write_weights(path: Path, d_feat: int = FEATURES) -> Path:
    """A WHAM of random weights whose every part shows in its answers."""
    torch.manual_seed(0)
    network = WhamNetwork(WhamConfig(d_embed=24, n_layers=2, d_feat=d_feat, d_integrator=16))
    identity = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "declayer" in name:
                parameter.normal_(std=0.3)
        network.trajectory_decoder.regressor.declayer1.bias.add_(identity)
        decoder = network.motion_decoder.regressor
        decoder.declayer0.bias.add_(identity.repeat(24))
        decoder.declayer2.bias.add_(torch.tensor([1.0, 0.0, 0.0]))
    save_safetensors(network, path)
    return path


def write_encoder(folder: Path, encoder: Hmr2Encoder, config: EncoderConfig) -> tuple[Path, Path]:
    """Checkpoint and sizes of an encoder."""
    path, sizes = folder / "hmr2a.ckpt", folder / "sizes.json"
    torch.save({"global_step": 25_000, "state_dict": encoder.state_dict()}, path)
    sizes.write_text(json.dumps(config.to_dict()), encoding="utf-8")
    return path, sizes


class Studio:
    """Files of a small encoder and WHAM, and trackers made of them."""

    def __init__(self, folder: Path, encoder: Hmr2Encoder, config: EncoderConfig) -> None:
        self.weights = write_weights(folder / "wham.safetensors")
        self.encoder, self.sizes = write_encoder(folder, encoder, config)

    def tracker(
        self,
        walkers: Walkers,
        stream: StreamConfig | None = None,
        **features: object,
    ) -> TrackingPipeline:
        config = FeatureConfig(self.encoder, self.sizes, **features)  # type: ignore[arg-type]
        return TrackingPipeline(
            PipelineConfig(weights=self.weights, features=config, stream=stream or StreamConfig()),
            detector=walkers,
        )

    def plain(self, walkers: Walkers, stream: StreamConfig | None = None) -> TrackingPipeline:
        """Without an encoder."""
        return TrackingPipeline(
            PipelineConfig(weights=self.weights, stream=stream or StreamConfig()),
            detector=walkers,
        )


def run(
    pipeline: TrackingPipeline, walkers: Walkers, count: int, start: int = 0, rate: float = 30.0
) -> list[FrameResult]:
    """Images ``start`` to ``start + count``."""
    results = []
    pipeline.set_camera(PinholeCamera.assume(*SIZE))
    for frame in range(start, start + count):
        walkers.frame = frame
        results.append(pipeline.process(picture(frame), 10.0 + frame / rate))
    return results
