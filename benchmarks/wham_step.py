"""Time one streaming step of WHAM against reading its weights from memory.

Everything is timed in one process and in turns (read, then step, then read ...), so that a busy
machine slows both alike; ratios are medians over the turns. Run with one thread by default:

    .venv/bin/python benchmarks/wham_step.py [--threads 1] [--frames 10000]

The last rows are of the packaged network, which has no image features; ``--packaged`` prints them
alone.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from humor_ros.body import BodyModel
from humor_ros.types import Array
from humor_ros.wham import WhamConfig, WhamInputs, WhamNetwork, WhamState
from humor_ros.wham.models import load_models
from humor_ros.wham.pose_fit import FITTED_POINTS, PoseCorrection, fit_pose
from humor_ros.wham.runner import StreamingNetwork, prepare_for_streaming

WINDOW = 81


def make_inputs(config: WhamConfig, n_people: int, n_frames: int) -> WhamInputs:
    """Random measurements of plausible size, with image features."""
    return WhamInputs(
        x=torch.randn(n_people, n_frames, 37) * 0.4,
        mask=torch.rand(n_people, n_frames, 17) < 0.1,
        cam_angvel=torch.randn(n_people, n_frames, 6) * 0.1,
        img_features=torch.randn(n_people, n_frames, config.d_feat),
        bbox=torch.tensor([640.0, 360.0, 2.0]).expand(n_people, n_frames, 3),
        res=torch.tensor([[1280.0, 720.0]]).expand(n_people, 2),
        cam_intrinsics=(torch.eye(3) * 1400.0).expand(n_people, 1, 3, 3),
    )


def make_start(network: WhamNetwork, n_people: int) -> WhamState:
    """State of people at their first frame."""
    return network.initial_state(
        torch.randn(n_people, 1, 88) * 0.4,
        torch.randn(n_people, 1, 24, 6),
        torch.randn(n_people, 1, 6),
    )


def seconds(function: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def fastest_read(weights: list[Tensor]) -> tuple[str, Callable[[], object]]:
    """The quickest of several ways to read all weights once, and its name."""
    flat = [weight.reshape(-1) for weight in weights]
    one = torch.cat(flat)
    ways: dict[str, Callable[[], object]] = {
        "sum of each tensor": lambda: [tensor.sum() for tensor in flat],
        "sum of one buffer": lambda: one.sum(),
        "dot product of each tensor with itself": lambda: [torch.dot(t, t) for t in flat],
        "dot product of one buffer with itself": lambda: torch.dot(one, one),
    }
    best = {name: min(seconds(way) for _ in range(15)) for name, way in ways.items()}
    name = min(best, key=lambda key: best[key])
    return name, ways[name]


def in_turns(rounds: int, *functions: Callable[[], object]) -> list[list[float]]:
    """Times of each function, called one after the other in every round."""
    for function in functions:
        function()
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds):
        for record, function in zip(times, functions, strict=True):
            record.append(seconds(function))
    return times


def ratio(over: list[float], under: list[float]) -> float:
    """Median of the ratios of neighbouring times."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


def milliseconds(times: list[float]) -> str:
    """Median and minimum."""
    return f"{1e3 * statistics.median(times):.2f} ({1e3 * min(times):.2f})"


def people_rows(
    table: Table, network: StreamingNetwork, body: BodyModel, rounds: int
) -> StreamingNetwork:
    """Step time for 1 to 8 people, beside the time to read the weights."""
    weights = network.step_weights()
    size = sum(weight.numel() * weight.element_size() for weight in weights)
    name, read = fastest_read(weights)
    steps: list[Callable[[], object]] = []
    for n_people in (1, 2, 4, 8):
        state, inputs = make_start(network, n_people), make_inputs(network.config, n_people, 1)
        state, _ = network.step(state, inputs, body)
        steps.append(lambda s=state, i=inputs: network.step(s, i, body))  # type: ignore[misc]
    read_times, *step_times = in_turns(rounds, read, *steps)
    gigabytes = size / min(read_times) / 1e9
    table.add_row(
        f"read {size / 1e6:.1f} MB of weights ({name})",
        milliseconds(read_times),
        f"{gigabytes:.1f} GB/s",
    )
    for n_people, times in zip((1, 2, 4, 8), step_times, strict=True):
        against = f"{ratio(times, read_times):.2f} x read"
        if n_people > 1:
            against += f", {ratio(times, step_times[0]):.2f} x one person"
        table.add_row(
            f"step, {n_people} people" if n_people > 1 else "step, 1 person",
            milliseconds(times),
            against,
        )
    return network


def long_run_rows(table: Table, network: StreamingNetwork, body: BodyModel, frames: int) -> None:
    """Step through a long stream, then compare its first and last steps in turns."""
    inputs = make_inputs(network.config, 1, 200)
    state, early = make_start(network, 1), None
    for frame in range(frames):
        state, _ = network.step(state, inputs.frames(frame % 200, frame % 200 + 1), body)
        if frame == 9:
            early = state.clone()
    if early is None:
        return
    one = inputs.frames(0, 1)
    first, last = in_turns(
        200, lambda: network.step(early, one, body), lambda: network.step(state, one, body)
    )
    table.add_row("step at frame 10", milliseconds(first), "")
    table.add_row(
        f"step at frame {frames:,}", milliseconds(last), f"{ratio(last, first):.3f} x frame 10"
    )
    table.add_row("state of a person", "", f"{state.nbytes:,} bytes")


def batch_rows(table: Table, network: WhamNetwork, body: BodyModel) -> None:
    """What frame-by-frame use costs without a state."""
    inputs, start = make_inputs(network.config, 1, WINDOW), make_start(network, 1)
    (times,) = in_turns(4, lambda: network.step(start, inputs, body))
    table.add_row(
        f"batch forward of {WINDOW} frames, per frame",
        milliseconds([value / WINDOW for value in times]),
        "",
    )
    table.add_row(f"re-running {WINDOW} frames for each frame", milliseconds(times), "")


def packaged_rows(table: Table, body: BodyModel, rounds: int) -> None:
    """Step time of the packaged network, and of the fit of one person's pose to the key-points."""
    trained = load_models(None, None)[0]
    count = sum(p.numel() for p in trained.parameters())
    network = prepare_for_streaming(trained)
    steps: list[Callable[[], object]] = []
    for n_people in (1, 4):
        inputs = replace(make_inputs(network.config, n_people, 1), img_features=None)
        state, outputs = network.step(make_start(network, n_people), inputs, body)
        steps.append(lambda s=state, i=inputs: network.step(s, i, body))  # type: ignore[misc]
    steps.append(lambda: fit_once(network, outputs.rotations[0, -1].double().numpy(), body))
    one, four, fit = in_turns(rounds, *steps)
    table.add_row(
        "packaged network, 1 person", milliseconds(one), f"{count / 1e6:.1f} M parameters"
    )
    table.add_row(
        "packaged network, 4 people", milliseconds(four), f"{ratio(four, one):.2f} x one person"
    )
    table.add_row("fit of a pose to the key-points", milliseconds(fit), "beside it, a person")


def fit_once(network: StreamingNetwork, rotations: Array, body: BodyModel) -> None:
    """One fit to key-points that the pose nearly explains."""
    posed = body(torch.zeros(1, 10), torch.from_numpy(rotations)[None].float())
    coco = posed.keypoints31[0, :17].double().numpy()
    hips = coco[11:13].mean(0)
    points, place = (coco - hips)[list(FITTED_POINTS)], np.array([0.0, 0.0, 4.0])
    rays = (points + place)[:, :2] / (points + place)[:, 2:] + 0.01
    fit_pose(
        rotations,
        posed.joints[0].double().numpy() - hips,
        points,
        rays,
        np.ones(len(points)),
        place,
        correction=PoseCorrection.unknown(network.pose_error.double().numpy()),
        translation_covariance=0.16 * np.eye(3),
        ray_sigma=0.02,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--frames", type=int, default=10_000, help="length of the long stream")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--packaged", action="store_true", help="the packaged network alone")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    body = BodyModel.load()
    network = prepare_for_streaming(WhamNetwork().eval())
    count = sum(p.numel() for p in WhamNetwork().parameters())
    table = Table(
        title=f"WHAM, {count / 1e6:.1f} M parameters, float32, {arguments.threads} thread(s)"
    )
    for column in ("", "ms: median (min)", ""):
        table.add_column(column)
    with torch.inference_mode():
        if not arguments.packaged:
            people_rows(table, network, body, arguments.rounds)
            long_run_rows(table, network, body, arguments.frames)
            batch_rows(table, network, body)
        packaged_rows(table, body, arguments.rounds)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
