"""The comparison of the real-time solver with the published method, on a small network."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from rich.console import Console

from humor_ros.body import BodyModel
from humor_ros.geometry import axis_angle_to_matrix
from humor_ros.humor import HumorConfig, HumorNetwork
from humor_ros.humor.window_body import SolverBody
from humor_ros.humor.window_config import WindowConfig
from humor_ros.humor.window_values import WindowObservations

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
FRAMES = 10


@pytest.fixture
def benchmark() -> Iterator[ModuleType]:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import humor_equal_energy

        yield humor_equal_energy
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture
def network() -> HumorNetwork:
    torch.manual_seed(0)
    widths = (32, 32)
    network = HumorNetwork(
        HumorConfig(
            latent_size=4,
            encoder_widths=widths,
            prior_widths=widths,
            decoder_widths=widths,
            groups=4,
        )
    )
    network.requires_grad_(False)
    network.decoder.net[-1].weight.mul_(0.02)
    network.decoder.net[-1].bias.mul_(0.02)
    return network


def seen(body: SolverBody) -> WindowObservations:
    generator = torch.Generator().manual_seed(1)

    def noise(*shape: int) -> torch.Tensor:
        return 0.02 * torch.randn(FRAMES, *shape, generator=generator, dtype=torch.float64)

    upright = torch.tensor([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]).double()
    rotations = axis_angle_to_matrix(noise(22, 3))
    rotations[:, 0] = rotations[:, 0] @ upright
    root = noise(3) + torch.tensor([2.0, 1.0, 0.9])
    joints = body(torch.zeros(10).double(), rotations, root).joints
    return WindowObservations(
        root=root,
        rotations=rotations,
        joints=joints,
        confidence=torch.ones(FRAMES, 22).double(),
        contacts=torch.ones(FRAMES, 4).double(),
        betas=torch.zeros(FRAMES, 10).double(),
        pixels=torch.zeros(FRAMES, 17, 2).double(),
        pixel_confidence=torch.zeros(FRAMES, 17).double(),
        pixel_scale=torch.ones(FRAMES).double(),
        rotation_camera_world=torch.eye(3).double().expand(FRAMES, 3, 3),
        camera_position=torch.zeros(FRAMES, 3).double(),
    )


def test_both_methods_lower_the_same_energy(benchmark: ModuleType, network: HumorNetwork) -> None:
    body = SolverBody(BodyModel.load())
    config = replace(WindowConfig(), frames=FRAMES, hop=3, lag=3, cold_iterations=6)
    report = benchmark.compare(
        network,
        body,
        config,
        seen(body),
        {"first": 0, "frozen": 1, "all": 1},
        Console(quiet=True),
    )
    assert report["published: least energy"] < report["published: energy of the start"]
    energies = report["window: energies"]
    assert energies == sorted(energies, reverse=True)
    assert report["published: evaluations of the whole schedule"] > 0
