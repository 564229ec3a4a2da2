"""Measure forecasts on val motion: errors, whether regions hold what they say, and time.

    .venv/bin/python benchmarks/humor_forecast.py --data ../shared/data/mocap [--tracks 12]
        [--frames 240] [--json OUT.json]

Forecasts start from the true states of all val clips, one a second, with the last second of the
path and without; with ``--tracks`` also from the smoother's own newest states, where the tracker
runs on simulated key-points (``simulated_tracks``) and the smoother solves every hop at once. A
renewal is a roll-out for everybody with 8 samples and 2.5 s, its time that of the processor, one
thread, against two plain roll-outs of the same size.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy.spatial.transform import Rotation
from simulated_tracks import SimulatedClip, simulate

from humor_ros.body import BodyModel
from humor_ros.humor.forecast import OBSERVED, ForecastConfig, forecast
from humor_ros.humor.frozen_roll_out import FrozenPrior
from humor_ros.humor.mirror import mirrored_state
from humor_ros.humor.models import load_prior
from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.newest_motion import NewestMotion, newest_state, recent_path
from humor_ros.humor.online import OnlineSmoother
from humor_ros.humor.path_network import LAGS, RecentPath
from humor_ros.humor.rollout import roll_out
from humor_ros.humor.seen import SeenImage
from humor_ros.humor.state import FRAME_RATE, MotionState
from humor_ros.training.humor_config import HumorDataConfig
from humor_ros.training.humor_forecast_scores import (
    REGIONS,
    TIMES,
    errors_of,
    forecast_scores,
    scores_of,
)
from humor_ros.training.humor_sources import load_body, load_source
from humor_ros.training.humor_transitions import TransitionLibrary
from humor_ros.types import HumanState, TrackingState

_STEPS, _RENEWED_S = 60, 2.5
#: Frames between two forecasts of a track, and before the first.
_EVERY, _FIRST = 5, 30
_REPEATS = 5


def processor_ms(function: Callable[[], object]) -> float:
    """Least processor time of a few calls, after one that does not count."""
    function()
    times = []
    for _ in range(_REPEATS):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return 1e3 * min(times)


@torch.no_grad()
def plain_roll_outs(
    network: HumorNetwork, means: MotionState, samples: MotionState, steps: int
) -> None:
    """What a renewal took before: two roll-outs by ``roll_out``."""
    for first, sample in ((means, False), (samples, True)):
        roll_out(
            network, first, n_steps=steps, canonicalize=True, uncanonicalize=True, sample=sample
        )


def renewal_times(network: HumorNetwork, library: TransitionLibrary) -> list[dict[str, float]]:
    """Time of a renewal for 1, 2 and 4 people, and of what it took before."""
    rows = []
    config = ForecastConfig(horizon_s=_RENEWED_S)
    frozen = FrozenPrior(network)
    steps = round(_RENEWED_S * FRAME_RATE)
    for people in (1, 2, 4):
        state = MotionState.from_vector(library.rows[:people]).without_contacts()
        recent = RecentPath(
            torch.full((people, len(LAGS), 3), torch.nan),
            torch.full((people, len(LAGS)), torch.nan),
        )
        both = MotionState.cat([state, mirrored_state(state)])
        many = state.map(lambda part: part.repeat_interleave(config.samples, dim=0))

        before = processor_ms(partial(plain_roll_outs, network, both, many, steps))
        now = processor_ms(partial(forecast, frozen, state, config, recent=recent))
        rows.append(
            {"people": people, "renewal ms": now, "plain ms": before, "ratio": before / now}
        )
    return rows


def human_at(track: SimulatedClip, index: int) -> HumanState:
    """One row of a track as the tracker's state."""
    rows = track.track
    names = (
        *("betas", "root_orientation_camera", "root_position_camera", "joints_camera"),
        *("root_orientation_world", "root_position_world", "joints_world", "contacts"),
        *("joint_confidence", "coco17_camera", "contact_positions_world", "box_xyxy"),
        *("keypoints_image", "root_linear_velocity_world"),
    )
    values = {name: np.array(rows[name][index], np.float64) for name in names}
    return HumanState(
        person_id="aaaaa",
        stamp_s=float(rows["stamp_s"][index]),
        tracking_state=TrackingState(int(rows["tracking_state"][index])),
        age_s=1.0,
        unseen_s=0.0,
        body_pose=Rotation.from_rotvec(rows["body_pose"][index]).as_matrix(),
        root_covariance_camera=np.eye(6),
        root_covariance_world=np.eye(6),
        root_angular_velocity_world=np.zeros(3),
        **values,
    )


def observed(
    clip: SimulatedClip, network: HumorNetwork, body: BodyModel
) -> Iterator[tuple[int, NewestMotion, MotionState, float]]:
    """Frames, and the smoother's newest motion, state and ground height there."""
    smoother = OnlineSmoother(network, body)
    frames = len(clip.joints)
    for frame in range(frames - _STEPS):
        row = clip.track
        smoother.add(
            SeenImage(
                float(row["stamp_s"][frame]),
                (human_at(clip, frame),),
                np.asarray(row["rotation_world_camera"][frame], np.float64),
                np.asarray(row["position_world_camera"][frame], np.float64),
                clip.track.camera,
            )
        )
        while (hop := smoother.begin_hop()) is not None:
            hop.solve()
            smoother.end_hop(hop)
        smoother.ready()
        if frame >= _FIRST and frame % _EVERY == 0:
            motion = smoother.newest_motions()[0]
            height = smoother.ground_height(motion)
            yield frame, motion, newest_state(motion, smoother.solver_body, height), height


def track_scores(
    clips: Iterator[SimulatedClip], network: HumorNetwork, body: BodyModel
) -> dict[str, dict[str, float]]:
    """Scores of forecasts from the smoother's newest states, by kind.

    Errors are of the way from the start: where the tracker has the person is not the forecast's.
    """
    states, motions, heights, truth, speed, moving = [], [], [], [], [], []
    for clip in clips:
        root = torch.from_numpy(clip.joints[:, 0]).float()
        for frame, motion, state, height in observed(clip, network, body):
            states.append(state)
            motions.append(motion)
            heights.append(height)
            truth.append(root[frame + 1 : frame + 1 + _STEPS] - root[frame])
            speed.append((root[frame + 1] - root[frame - 1]) * FRAME_RATE / 2)
            moving.append(clip.category != "idle")
    state, recent = MotionState.stack(states, dim=0), recent_path(motions, heights)
    start = state.joints[:, 0]
    way = start[:, None] + torch.stack(truth)
    prior = FrozenPrior(network)
    kinds: dict[str, tuple[ForecastConfig, RecentPath | None]] = {
        "as the node": (OBSERVED, recent),
        "without history": (ForecastConfig(), None),
        "as if states were true": (ForecastConfig(), recent),
    }
    scores = {}
    for name, (config, past) in kinds.items():
        generator = torch.Generator().manual_seed(0)
        told = forecast(prior, state, config, recent=past, generator=generator)
        errors = errors_of(told, start, torch.stack(speed), way)
        scores[name] = scores_of(errors, torch.tensor(moving))
    return scores


def show(console: Console, title: str, scores: dict[str, dict[str, float]]) -> None:
    """One table of errors and regions."""
    table = Table(title=title)
    columns = ["", "after", "error mm", "constant velocity", "still", "lower by %"]
    for column in (*columns, *(f"in {region} %" for region in REGIONS)):
        table.add_column(column)
    for name, values in scores.items():
        for prefix in ("", "moving_"):
            for label, seconds in TIMES.items():
                if f"{prefix}forecast_root_{label}_mm" not in values:
                    continue
                errors = [
                    f"{values[f'{prefix}forecast_{kind}root_{label}_mm']:.1f}"
                    for kind in ("", "velocity_", "still_")
                ]
                held = [
                    "" if prefix else f"{values[f'forecast_in_{region}_{label}_percent']:.1f}"
                    for region in REGIONS
                ]
                gain = f"{values[f'{prefix}forecast_gain_{label}_percent']:.1f}"
                who = name if label == "half" and not prefix else ""
                moving = ", moving" if prefix else ""
                table.add_row(who, f"{seconds} s{moving}", *errors, gain, *held)
        held = [f"{values[f'forecast_in_{region}_percent']:.1f}" for region in REGIONS]
        table.add_row("", "all times", "", "", "", "", *held)
    console.print(table)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the motion shards")
    parser.add_argument("--tracks", type=int, default=0, help="val clips to be tracked")
    parser.add_argument("--frames", type=int, default=240, help="longest of these")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    console = Console()
    network = load_prior().network
    source = load_source(arguments.data, "val", load_body(None), HumorDataConfig())
    library = TransitionLibrary(source)
    figures: dict[str, object] = {}
    true = {
        name: forecast_scores(network, library, 0, history=history)
        for name, history in (("with history", True), ("without", False))
    }
    show(console, "from true states", true)
    figures["true states"] = true
    times = renewal_times(network, library)
    table = Table(title="a renewal, ms of one core")
    for column in times[0]:
        table.add_column(column)
    for row in times:
        table.add_row(*(f"{value:.3g}" for value in row.values()))
    console.print(table)
    figures["renewal"] = times
    if arguments.tracks:
        clips = simulate(arguments.data, clips=arguments.tracks, frames=arguments.frames, seed=0)
        tracks = track_scores(clips, network, BodyModel.load())
        show(console, "from the smoother's newest states", tracks)
        figures["tracks"] = tracks
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
