"""Measure the real-time solver on val motion: quality beside the tracker's, and time.

    .venv/bin/python benchmarks/humor_window.py --data ../shared/data/mocap [--clips 8]
        [--frames 100] [--variants plain,missing,occluded,unknown] [--json OUT.json]
        [--fit 4 --keep FOLDER]

``window`` runs as in real time, ``recording`` as ``humor-ros smooth`` does, which bridges gaps.
The tracker runs on simulated key-points (``simulated_tracks``), so its errors are its own. Times
are of the processor, one thread: a busy machine slows them less than those of the clock. The
published fit is timed by one evaluation of each phase's objective with its gradient, multiplied
by the evaluations of its schedule (25 an outer iteration, as its profile shows); with ``--fit``
so many clips are also fitted to the end and scored beside the window's on the same clips. A fit
takes five to seven minutes a clip; ``--keep`` stores each one's scores and reads them in the next
run with the same arguments. At equal energy: ``humor_equal_energy.py``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from simulated_tracks import SimulatedClip, simulate

from humor_ros.body import BodyModel, packaged_body_path
from humor_ros.humor import FitObservations, HumorBody, MotionFitter, RotationVectorPose, preset
from humor_ros.humor.fit_config import FitConfig
from humor_ros.humor.initialisation import initial_poses
from humor_ros.humor.models import MotionPrior, load_prior
from humor_ros.humor.objective import FitObjective
from humor_ros.humor.observations import observe_person
from humor_ros.humor.smoothing import SmoothedTrack, smooth_by_fit, smooth_by_window
from humor_ros.humor.window import SlidingWindow
from humor_ros.humor.window_body import SolverBody
from humor_ros.humor.window_config import WindowConfig

_FPS = 30.0
_FEET = (7, 8, 10, 11)
_TOES = (10, 11)
_RESTING_M = 0.005
_EVALUATIONS = 25  # of the objective, an outer iteration of L-BFGS with 20 inner ones
VARIANTS: dict[str, dict[str, float]] = {
    "plain": {},
    "floor": {},  # that the ground is at z = 0 is known, as of a robot that stands on it
    "missing": {"missing": 0.3},
    "occluded": {"occluded_frames": 60},
    "unknown": {"position_known": False},
}

#: A window of 60 frames and two hops of ten.
_FEWEST_FRAMES = 81


def scores(
    joints: NDArray[np.float64], contacts9: NDArray[np.float64], clip: SimulatedClip
) -> dict[str, float]:
    """Scores of joints (T, 24, 3) in the true world; the hands are left out."""
    found, true = joints[:, :22], clip.joints[:, :22]
    near = found - found[:, :1], true - true[:, :1]
    moved = np.linalg.norm(np.diff(true[:, _FEET], axis=0), axis=-1)
    slid = np.linalg.norm(np.diff(found[:, _FEET], axis=0), axis=-1)
    resting = moved < _RESTING_M

    def size(order: int, values: NDArray[np.float64]) -> float:
        return float(np.linalg.norm(np.diff(values, order, axis=0), axis=-1).mean())

    feet = [3, 4, 5, 6]
    return {
        "joint error mm": 1e3 * float(np.linalg.norm(found - true, axis=-1).mean()),
        "root-relative mm": 1e3 * float(np.linalg.norm(near[0] - near[1], axis=-1).mean()),
        "acceleration m/s2": size(2, found) * _FPS**2,
        "true acceleration": size(2, true) * _FPS**2,
        "acceleration error": size(2, found - true) * _FPS**2,
        "jitter 10 m/s3": size(3, found) * _FPS**3 / 10,
        "true jitter": size(3, true) * _FPS**3 / 10,
        "sliding mm": 1e3 * float(slid[resting].mean()) if resting.any() else float("nan"),
        "true sliding": 1e3 * float(moved[resting].mean()) if resting.any() else float("nan"),
        "penetration mm": 1e3 * float(np.maximum(0.0, -found[:, _TOES, 2]).mean()),
        "contact accuracy": float(((contacts9 > 0.5) == clip.contacts9)[:, feet].mean()),
        "amplitude": _amplitude(near[0], near[1]),
    }


def _amplitude(found: NDArray[np.float64], true: NDArray[np.float64]) -> float:
    """Size of the motion about its mean that goes with the true one, 1 for no loss.

    The slope of the found on the true joints about the root, each less its mean over the clip.
    """
    away = found - found.mean(axis=0), true - true.mean(axis=0)
    weight = float((away[1] ** 2).sum())
    return float((away[0] * away[1]).sum()) / weight if weight > 1e-9 else float("nan")


def tracker(clip: SimulatedClip) -> dict[str, float]:
    """Scores of the tracker itself."""
    nine = np.zeros((len(clip.joints), 9))
    nine[:, [5, 3, 6, 4]] = clip.track["contacts"]
    return scores(clip.track["joints_world"].astype(float), nine, clip)


def smoothed(result: SmoothedTrack, clip: SimulatedClip) -> dict[str, float]:
    """Scores of a smoothed track."""
    return scores(result.columns["joints_world"].astype(float), result.contacts9, clip)


def fitted(
    clip: SimulatedClip, fitter: MotionFitter, body: BodyModel, keep: Path | None, label: str
) -> dict[str, float]:
    """Scores of the published fit of one clip.

    Args:
        clip: that is fitted.
        fitter: the published method.
        body: of the track.
        keep: folder of scores from earlier runs; None fits anew.
        label: tells clips of one name apart.
    """
    path = None if keep is None else keep / f"{clip.name}_{label}.json"
    if path is not None and path.exists():
        found: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
        return found
    start = time.process_time()
    result = smooth_by_fit(clip.track, fitter, body)
    found = smoothed(result, clip)
    found["processor seconds"] = time.process_time() - start
    found["fallbacks"] = float(result.counts.fallbacks)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def mean(rows: list[dict[str, float]]) -> dict[str, float]:
    """Means over clips; clips without a value do not count."""
    return {name: float(np.nanmean([row[name] for row in rows])) for name in rows[0]}


def processor_seconds(function: Callable[[], object]) -> float:
    """Processor time of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def time_window(
    clip: SimulatedClip, prior: MotionPrior, body: BodyModel, config: WindowConfig, people: int = 1
) -> dict[str, float]:
    """Processor seconds of a cold window and of later hops.

    Args:
        clip: what is smoothed.
        prior: HuMoR's networks.
        body: of the track.
        config: of the solver.
        people: all of them the same, one after the other in each hop.
    """
    seen = observe_person(clip.track)[0][0].seen
    solver = SolverBody(body)
    windows = [SlidingWindow(prior.network, solver, config) for _ in range(people)]

    def advance(first: int, last: int) -> None:
        for window in windows:
            window.advance(seen.cut(first, last))

    cold = processor_seconds(lambda: advance(0, config.frames))
    hops = [
        processor_seconds(partial(advance, first, first + config.hop))
        for first in range(config.frames, seen.frames - config.hop, config.hop)
    ]
    return {"cold window s": cold, "hop s": float(np.median(hops)), "slowest hop s": max(hops)}


def time_fit(clip: SimulatedClip, prior: MotionPrior, frames: int) -> dict[str, float]:
    """Processor seconds of the published fit of one window, extrapolated from its evaluations."""
    body = HumorBody.load(packaged_body_path())
    config: FitConfig = preset("amass_joints")
    seen = observe_person(clip.track)[0][0].seen.cut(0, frames)
    observed = FitObservations(joints3d=seen.joints[None].float())
    pose = RotationVectorPose()
    objective = FitObjective(prior.network, body, pose, prior.mixture, observed)
    start = initial_poses(objective.observations, body, pose)
    poses = {k: v.clone().requires_grad_() for k, v in start.tensors().items()}
    motion = objective.builder.variables_from_poses(start, None)
    motions = {k: v.clone().requires_grad_() for k, v in motion.tensors().items()}
    few = min(config.first_frames, frames)
    phases: list[tuple[int, Callable[[], object]]] = [
        (
            config.iterations[1],
            lambda: objective.poses(type(start)(**poses), config.stage2).total.backward(),
        ),
        (
            config.first_until,
            lambda: objective.motion(
                type(motion)(**motions), config.stage3, n_frames=few
            ).total.backward(),
        ),
        (
            config.iterations[2] - config.first_until,
            lambda: objective.motion(type(motion)(**motions), config.stage3).total.backward(),
        ),
    ]
    total = 0.0
    for outer, evaluate in phases:
        evaluate()
        total += outer * _EVALUATIONS * min(processor_seconds(evaluate) for _ in range(3))
    return {"fit of one window s (extrapolated)": total}


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--variants", default="plain,missing,occluded,unknown")
    parser.add_argument("--fit", type=int, default=0, help="clips that are fitted to the end")
    parser.add_argument("--keep", type=Path, default=None, help="folder of fits' scores")
    parser.add_argument("--no-prior", action="store_true", help="smooth by accelerations alone")
    parser.add_argument("--weights", type=Path, default=None)
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    if arguments.frames < _FEWEST_FRAMES:
        parser.error(f"--frames must be at least {_FEWEST_FRAMES}: a window of 60 and two hops")
    torch.set_num_threads(1)
    console = Console(width=160)
    prior, body, config = load_prior(arguments.weights), BodyModel.load(), WindowConfig()
    network = None if arguments.no_prior else prior.network
    report: dict[str, dict[str, float]] = {}
    for variant in arguments.variants.split(","):
        options = VARIANTS[variant]
        clips = list(
            simulate(
                arguments.data,
                clips=arguments.clips,
                frames=arguments.frames,
                seed=arguments.seed,
                missing=float(options.get("missing", 0.0)),
                occluded_frames=int(options.get("occluded_frames", 0)),
                position_known=bool(options.get("position_known", True)),
            )
        )
        report[f"{variant}: tracker"] = mean([tracker(clip) for clip in clips])
        level = torch.zeros(3, dtype=torch.float64) if variant == "floor" else None
        found = {
            name: [smooth_by_window(clip.track, network, body, way, ground=level) for clip in clips]
            for name, way in (("window", config), ("recording", WindowConfig.for_recordings()))
        }
        results = found["window"]
        for name, tracks in found.items():
            report[f"{variant}: {name}"] = mean(
                [smoothed(r, c) for r, c in zip(tracks, clips, strict=True)]
            )
            hops = sum(result.counts.hops for result in tracks)
            lost = sum(result.counts.fallbacks for result in tracks)
            console.print(
                f"{variant}, {name}: {len(clips)} clips, {hops} windows, {lost} fallbacks; "
                + _in_words(
                    report[f"{variant}: tracker"],
                    report[f"{variant}: {name}"],
                    report.get(f"plain: {name}", report[f"{variant}: {name}"]),
                )
            )
        if variant == "plain":
            timed = time_window(clips[0], prior, body, config)
            for people in (2, 4):
                several = time_window(clips[0], prior, body, config, people)
                timed[f"hop s, {people} people"] = several["hop s"]
            timed |= time_fit(clips[0], prior, 60)
            report["time"] = timed
            if arguments.fit:
                fitter = MotionFitter(
                    prior.network,
                    HumorBody.load(packaged_body_path()),
                    RotationVectorPose(),
                    prior.mixture,
                    preset("amass_joints"),
                )
                some = clips[: arguments.fit]
                label = f"{arguments.frames}_{arguments.seed}"
                fits = [fitted(clip, fitter, body, arguments.keep, label) for clip in some]
                beside = [smoothed(r, c) for r, c in zip(results, some, strict=False)]
                report["fitted clips: tracker"] = mean([tracker(clip) for clip in some])
                report["fitted clips: window"] = mean(beside)
                report["fitted clips: published fit"] = mean(fits)
        _show(console, report)
        if arguments.json is not None:
            arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _in_words(given: dict[str, float], row: dict[str, float], plain: dict[str, float]) -> str:
    """How a variant's scores compare with its input's and with the undisturbed ones."""
    joints, near = "joint error mm", "root-relative mm"
    return (
        f"joint error {row[joints] / given[joints] - 1:+.1%} of the input's, "
        f"{row[joints] / plain[joints]:.2f} times the undisturbed one; about the root "
        f"{row[near] / given[near] - 1:+.1%} and {row[near] / plain[near]:.2f} times; amplitude "
        f"{row['amplitude'] / given['amplitude'] - 1:+.1%}"
    )


def _show(console: Console, report: dict[str, dict[str, float]]) -> None:
    rows = {name: row for name, row in report.items() if name != "time"}
    table = Table("", *rows)
    for key in next(iter(rows.values())):
        table.add_row(key, *(f"{row.get(key, float('nan')):.3g}" for row in rows.values()))
    console.print(table)
    for key, value in report.get("time", {}).items():
        console.print(f"{key}: {value:.3f}")


if __name__ == "__main__":
    main()
