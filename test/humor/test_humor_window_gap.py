"""Stretches in which nobody sees a person, in real time and in recordings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from track_cases import CAMERA, CENTRE, FOCAL, person, track_of

from humor_ros.body import BodyModel
from humor_ros.humor.observations import observe_person
from humor_ros.humor.smoothing import smooth_by_window
from humor_ros.humor.window import SlidingWindow
from humor_ros.humor.window_body import SolverBody
from humor_ros.humor.window_config import WindowConfig
from humor_ros.humor.window_gap import bridged, closed_gap, frames_in_open_gap
from humor_ros.humor.window_values import WindowMotion

FAST = WindowConfig(frames=14, hop=4, lag=3, iterations=1, cold_iterations=4)
BRIDGING = replace(FAST, bridge=40)
GAP = slice(16, 36)
FRAMES = 50


def walker(body: BodyModel, speed: float) -> tuple[dict[str, NDArray[Any]], NDArray[np.float64]]:
    """Somebody who glides along x; in the gap the tracker lets them go on at half their speed.

    Returns:
        Rows of the tracker, and the true way (T, 3) since the first frame, metres.
    """
    rows = person(body, FRAMES, noise=0.001)
    way = np.zeros((FRAMES, 3))
    way[:, 0] = speed * np.arange(FRAMES)
    told = way.copy()
    told[GAP] = 0.5 * (way[GAP] + way[GAP.start - 1])
    coco = rows["coco17_camera"] @ CAMERA.T + CENTRE + way[:, None]
    for key in ("joints_world", "contact_positions_world"):
        rows[key] = rows[key] + told[:, None]
    rows["root_position_world"] = rows["root_position_world"] + told
    for key in ("joints_camera", "coco17_camera"):
        rows[key] = rows[key] + told[:, None] @ CAMERA
    rows["root_position_camera"] = rows["joints_camera"][:, 0]
    local = (coco - CENTRE) @ CAMERA
    rows["keypoints_image"][..., :2] = FOCAL * local[..., :2] / local[..., 2:] + [640.0, 360.0]
    pixels = rows["keypoints_image"][..., :2]
    rows["box_xyxy"] = np.concatenate((pixels.min(1), pixels.max(1)), axis=-1)
    rows["keypoints_image"][GAP, :, 2] = 0.0
    rows["joint_confidence"][GAP] = 0.0
    rows["tracking_state"][GAP] = 2
    rows["contacts"] = np.zeros_like(rows["contacts"])
    return rows, way


def missed(
    body: BodyModel, rows: dict[str, NDArray[Any]], way: NDArray[Any], config: WindowConfig
) -> float:
    """Mean distance in the gap from where the person truly was, metres."""
    found = smooth_by_window(track_of(rows), None, body, config)
    true = person(body, FRAMES, noise=0.001)["root_position_world"] + way
    away = found.columns["root_position_world"] - true
    return float(np.linalg.norm(away[GAP], axis=-1).mean())


def test_a_gap_of_a_recording_leads_to_where_the_person_is_seen_again(
    free_body: BodyModel,
) -> None:
    rows, way = walker(free_body, speed=0.03)
    tracker = 0.015 * np.arange(1, GAP.stop - GAP.start + 1).mean()
    online = missed(free_body, rows, way, FAST)
    assert online > 0.6 * tracker
    assert missed(free_body, rows, way, BRIDGING) < 0.5 * online


@pytest.mark.parametrize("bridge", [0, 5, 40])
def test_every_frame_is_told_once_and_in_order(free_body: BodyModel, bridge: int) -> None:
    seen = observe_person(track_of(walker(free_body, 0.02)[0]))[0][0].seen
    window = SlidingWindow(None, SolverBody(free_body), replace(FAST, bridge=bridge))
    told, begins = 0, []
    for first in range(0, FRAMES, 4):
        stop = min(FRAMES, first + 4)
        frames = window.advance(seen.cut(first, stop), last=stop == FRAMES)
        if frames is None:
            continue
        assert frames.first == told
        begins.append((told, stop))
        told += frames.motion.frames
        if bridge == 40:  # nothing of the gap before it is over
            assert told <= GAP.start or stop > GAP.stop
    assert told == FRAMES
    assert len(begins) > 4


def test_frames_of_a_bridged_gap_state_how_long_they_waited(free_body: BodyModel) -> None:
    track = track_of(walker(free_body, 0.02)[0])
    lag = smooth_by_window(track, None, free_body, BRIDGING).lag_frames
    assert (lag[GAP] >= GAP.stop - np.arange(FRAMES)[GAP]).all()
    online = smooth_by_window(track, None, free_body, FAST).lag_frames
    assert online[GAP].max() < FAST.frames


def test_a_person_who_stays_unseen_is_told_as_ever(free_body: BodyModel) -> None:
    rows = walker(free_body, 0.0)[0]
    rows["keypoints_image"][GAP.start :, :, 2] = 0.0
    rows["joint_confidence"][GAP.start :] = 0.0
    found = smooth_by_window(track_of(rows), None, free_body, BRIDGING)
    assert found.counts.fallbacks == 0
    away = found.columns["joints_world"] - rows["joints_world"]
    assert np.abs(away).max() < 0.3


def test_more_frames_than_a_window_holds_may_come_at_once(free_body: BodyModel) -> None:
    seen = observe_person(track_of(person(free_body, 60)))[0][0].seen
    window = SlidingWindow(None, SolverBody(free_body), FAST)
    parts = [window.advance(seen.cut(0, 14)), window.advance(seen.cut(14, 54))]
    parts.append(window.advance(seen.cut(54, 60), last=True))
    assert [part.first for part in parts if part is not None] == [0, 11, 51]
    assert window.motion is not None
    assert window.motion.frames <= FAST.frames + FAST.hop
    assert not window.fallbacks


def hidden(text: str) -> torch.Tensor:
    """Of a row of frames: x where nothing was seen."""
    return torch.tensor([letter == "x" for letter in text])


@pytest.mark.parametrize(
    ("text", "frame", "count"), [("..xx.", 3, 1), ("..xx.", 4, 0), ("xxx", 2, 2), ("..x", 2, 0)]
)
def test_an_open_gap_is_counted_backwards(text: str, frame: int, count: int) -> None:
    assert frames_in_open_gap(hidden(text), frame) == count


@pytest.mark.parametrize(
    ("text", "old", "gap"),
    [
        ("..xx|xx..", 4, (2, 6)),
        ("..xx|..", 4, (2, 4)),
        ("..xx|xx", 4, None),  # goes on
        ("..x.|..", 4, None),  # was over before
        ("xxxx|..", 4, None),  # nothing leads into it
    ],
)
def test_a_gap_closes_with_the_first_sight(
    text: str, old: int, gap: tuple[int, int] | None
) -> None:
    assert closed_gap(hidden(text.replace("|", "")), old) == gap


def test_a_bridge_grows_evenly_and_ends_where_the_tracker_is(free_body: BodyModel) -> None:
    seen = observe_person(track_of(walker(free_body, 0.03)[0]))[0][0].seen
    shift = torch.tensor([0.1, 0.0, 0.0], dtype=seen.root.dtype)
    motion = WindowMotion(
        seen.root + shift, seen.rotations, seen.root.new_zeros(48, 0), seen.betas[0], shift
    )
    led = bridged(motion, seen, (GAP.start, GAP.stop))
    torch.testing.assert_close(led.root[: GAP.start], motion.root[: GAP.start])
    torch.testing.assert_close(led.root[GAP.stop :], seen.root[GAP.stop :] + shift)
    added = (led.root - motion.root)[GAP.start - 1 : GAP.stop - 1].diff(dim=0)
    torch.testing.assert_close(added, added[:1].expand_as(added))
    # The tracker fell behind by 15 mm in each frame of the gap.
    assert float(added[0, 0]) == pytest.approx(0.015, abs=0.002)
    torch.testing.assert_close(
        led.rotations @ led.rotations.mT, torch.eye(3).expand_as(led.rotations).double()
    )
