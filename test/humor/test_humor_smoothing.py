"""Smoothing of tracks, good and bad ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from track_cases import arrays_of, chosen, person, track_of
from typer.testing import CliRunner

from humor_ros.body import BodyModel, packaged_body_path
from humor_ros.cli import app
from humor_ros.humor import HumorBody, HumorNetwork, MotionFitter, RotationVectorPose
from humor_ros.humor.fit_config import PRESETS
from humor_ros.humor.observations import observe_person
from humor_ros.humor.smoothing import SmoothedTrack, ground_plane, smooth_by_fit, smooth_by_window
from humor_ros.humor.weights import save_safetensors
from humor_ros.humor.window import SlidingWindow
from humor_ros.humor.window_body import SolverBody
from humor_ros.humor.window_config import WindowConfig
from humor_ros.io.track_file import TrackFile
from humor_ros.weight_files import CheckpointError

FAST = WindowConfig(frames=12, hop=6, lag=4, iterations=1, cold_iterations=2)


def assert_whole(result: SmoothedTrack, rows: int) -> None:
    assert len(result.lag_frames) == len(result.contacts9) == rows
    for name in ("joints_world", "root_position_world", "body_pose", "joints_camera"):
        assert np.isfinite(result.columns[name]).all()
    assert ((result.contacts9 >= 0) & (result.contacts9 <= 1)).all()


def roughness(joints: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(joints, 3, axis=0), axis=-1).mean())


@pytest.mark.parametrize("with_prior", [False, True])
def test_smoothing_takes_the_shaking_out(
    free_body: BodyModel, small: HumorNetwork, with_prior: bool
) -> None:
    track = track_of(person(free_body, 40))
    result = smooth_by_window(track, small if with_prior else None, free_body, FAST)
    assert_whole(result, 40)
    assert result.counts.fallbacks == 0
    # The small prior was never trained and expects steps of its own; it may not break anything.
    share = 0.8 if with_prior else 0.5
    assert roughness(result.columns["joints_world"]) < share * roughness(track["joints_world"])
    away = np.linalg.norm(result.columns["joints_world"] - track["joints_world"], axis=-1)
    assert away.mean() < (0.6 if with_prior else 0.1)


def test_the_lag_is_told_truly(free_body: BodyModel) -> None:
    lag = smooth_by_window(track_of(person(free_body, 30)), None, free_body, FAST).lag_frames
    assert (lag[:20] >= FAST.lag).all()
    assert lag[-1] == 0
    assert lag.max() < FAST.frames


def test_the_ground_is_found_under_the_soles(free_body: BodyModel) -> None:
    plane = smooth_by_window(track_of(person(free_body, 30)), None, free_body, FAST).ground_plane
    np.testing.assert_allclose(plane, [0, 0, 1, 0], atol=0.06)


def test_a_given_ground_is_kept(free_body: BodyModel) -> None:
    given = torch.tensor([0.02, 0.0, 0.0], dtype=torch.float64)
    track = track_of(person(free_body, 12))
    plane = smooth_by_window(track, None, free_body, FAST, ground=given).ground_plane
    np.testing.assert_allclose(plane, [0, 0, 1, 0.02], atol=5e-3)


def test_a_tilted_ground_keeps_its_points() -> None:
    ground = torch.tensor([0.3, 0.1, -0.2])
    plane = ground_plane(ground)
    for x, y in ((0.0, 0.0), (1.0, 2.0)):
        assert plane[:3] @ [x, y, 0.3 + 0.1 * x - 0.2 * y] == pytest.approx(plane[3], abs=1e-6)


def test_nobody_is_nothing_to_smooth(free_body: BodyModel) -> None:
    track = track_of(chosen(person(free_body, 3), slice(0, 0)))
    result = smooth_by_window(track, None, free_body, FAST)
    assert result.counts.people == 0
    assert len(result.lag_frames) == 0


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_a_few_frames_stay_as_they_are(free_body: BodyModel, frames: int) -> None:
    track = track_of(person(free_body, frames))
    result = smooth_by_window(track, None, free_body, FAST)
    np.testing.assert_array_equal(result.columns["joints_world"], track["joints_world"])
    assert result.counts.short_segments == 1
    assert not result.lag_frames.any()


def test_a_short_gap_is_bridged(free_body: BodyModel, small: HumorNetwork) -> None:
    rows = chosen(person(free_body, 45), np.r_[0:18, 30:45])
    segments, left_out = observe_person(track_of(rows))
    assert [segment.seen.frames for segment in segments] == [45]
    assert not segments[0].seen.pixel_confidence[20:28].any()
    assert not len(left_out)
    result = smooth_by_window(track_of(rows), small, free_body, FAST)
    assert_whole(result, 33)


def test_a_long_gap_starts_afresh(free_body: BodyModel) -> None:
    rows = person(free_body, 40)
    rows["stamp_s"] = rows["stamp_s"] + 60.0 * (np.arange(40) >= 20)
    segments, _ = observe_person(track_of(rows))
    assert [segment.seen.frames for segment in segments] == [20, 20]
    assert_whole(smooth_by_window(track_of(rows), None, free_body, FAST), 40)


def test_duplicate_stamps_are_left_out(free_body: BodyModel) -> None:
    rows = person(free_body, 30)
    rows["stamp_s"][11] = rows["stamp_s"][10]
    result = smooth_by_window(track_of(rows), None, free_body, FAST)
    assert result.counts.rows_left_out == 1
    assert result.lag_frames[11] == 0
    assert_whole(result, 30)


def test_reversed_stamps_are_put_in_order(free_body: BodyModel) -> None:
    rows = person(free_body, 30)
    forward = smooth_by_window(track_of(rows), None, free_body, FAST)
    turned = {key: value[::-1].copy() for key, value in rows.items()}
    turned["frame"] = rows["frame"]
    backward = smooth_by_window(track_of(turned), None, free_body, FAST)
    np.testing.assert_allclose(
        backward.columns["joints_world"][::-1], forward.columns["joints_world"], atol=1e-5
    )


def test_rows_with_nan_are_left_as_they_are(free_body: BodyModel) -> None:
    rows = person(free_body, 30)
    rows["root_position_world"][7] = np.nan
    rows["joints_world"][9, 4] = np.nan
    result = smooth_by_window(track_of(rows), None, free_body, FAST)
    assert result.counts.rows_left_out == 1
    assert np.isnan(result.columns["root_position_world"][7]).all()
    kept = np.delete(result.columns["joints_world"], 7, axis=0)
    assert np.isfinite(kept).all()


def test_missing_keypoints_do_no_harm(free_body: BodyModel) -> None:
    rows = person(free_body, 40)
    rng = np.random.default_rng(0)
    rows["keypoints_image"][rng.random((40, 17)) < 0.3] = np.nan
    rows["keypoints_image"][5, 3] = [1e5, -1e5, 0.9]
    result = smooth_by_window(track_of(rows), None, free_body, FAST)
    assert_whole(result, 40)
    away = result.columns["joints_world"] - track_of(rows)["joints_world"]
    assert np.linalg.norm(away, axis=-1).mean() < 0.1


def test_a_person_who_is_hidden_and_vanishes_is_told_to_the_end(
    free_body: BodyModel, small: HumorNetwork
) -> None:
    rows = person(free_body, 41)
    rows["tracking_state"][20:] = 2
    rows["keypoints_image"][20:, :, 2] = 0.0
    rows["joint_confidence"][20:] = 0.0
    result = smooth_by_window(track_of(rows), small, free_body, FAST)
    assert_whole(result, 41)
    away = result.columns["root_position_world"] - rows["root_position_world"]
    assert np.linalg.norm(away, axis=-1).max() < 0.6


def test_twenty_people_share_one_ground(free_body: BodyModel) -> None:
    people = [person(free_body, 7, name=f"aaaa{chr(97 + i)}", seed=i) for i in range(20)]
    result = smooth_by_window(track_of(*people), None, free_body, FAST)
    assert result.counts.people == 20
    assert_whole(result, 140)
    np.testing.assert_allclose(result.ground_plane, [0, 0, 1, 0], atol=0.08)


def test_frames_of_another_rate_are_told_at_their_own_stamps(free_body: BodyModel) -> None:
    rows = person(free_body, 40)
    rows["stamp_s"] = np.arange(40) / 25.0
    segments, _ = observe_person(track_of(rows))
    assert segments[0].seen.frames == round(39 * 30 / 25) + 1
    assert_whole(smooth_by_window(track_of(rows), None, free_body, FAST), 40)


def test_a_window_that_goes_astray_tells_the_tracker_and_recovers(
    free_body: BodyModel, small: HumorNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    import humor_ros.humor.window as module

    seen = observe_person(track_of(person(free_body, 40)))[0][0].seen
    window = SlidingWindow(small, SolverBody(free_body), FAST)
    window.advance(seen.cut(0, 12))
    solve = module.solve_window

    def astray(*args: object, **kwargs: object) -> object:
        solution = solve(*args, **kwargs)
        far = module.replace(solution.motion, root=solution.motion.root + 100.0)
        return module.replace(solution, motion=far)

    monkeypatch.setattr(module, "solve_window", astray)
    told = window.advance(seen.cut(12, 18))
    assert told is not None
    assert told.fallback
    assert window.fallbacks == 1
    stop = told.first + told.motion.frames
    torch.testing.assert_close(told.motion.root, seen.root[told.first : stop])
    monkeypatch.setattr(module, "solve_window", solve)
    later = window.advance(seen.cut(18, 24))
    assert later is not None
    assert not later.fallback
    assert later.first == stop
    assert window.reports[-1].cold


def test_the_command_writes_the_keys_of_the_track_and_three_more(
    free_body: BodyModel, small: HumorNetwork, tmp_path: Path
) -> None:
    source, weights, output = (tmp_path / n for n in ("in.npz", "small.safetensors", "out.npz"))
    arrays = arrays_of(person(free_body, 20))
    np.savez(source, **arrays)
    save_safetensors(small, weights)
    given = ["smooth", str(source), "--output", str(output), "--weights", str(weights)]
    result = CliRunner().invoke(app, [*given, "--window", "12", "--hop", "6", "--lag", "3"])
    assert result.exit_code == 0, result.output
    with np.load(output) as written:
        assert set(written.files) == {*arrays, "lag_frames", "ground_plane", "contacts9"}
        assert written["contacts9"].shape == (20, 9)
        assert written["lag_frames"].shape == (20,)
        assert np.linalg.norm(written["ground_plane"][:3]) == pytest.approx(1.0)
    assert len(TrackFile.read(output)) == 20


def test_the_published_fit_stays_near_the_tracker_and_skips_what_is_too_short(
    free_body: BodyModel, small: HumorNetwork
) -> None:
    config = replace(
        PRESETS["amass_joints"],
        iterations=(3, 8, 3),
        first_frames=4,
        first_until=1,
        frozen_until=2,
        inner_iterations=8,
    )
    body = HumorBody.load(packaged_body_path())
    fitter = MotionFitter(small, body, RotationVectorPose(), None, config)
    rows = person(free_body, 8)
    rows["joints_world"][3, 5] = np.nan
    track = track_of(rows, person(free_body, 1, name="aaaab", seed=3))
    result = smooth_by_fit(track, fitter, free_body)
    assert len(result.contacts9) == len(result.lag_frames) == 9
    assert result.counts.people == 2
    assert result.counts.short_segments == 1
    assert result.counts.fallbacks == 0
    mine = track["person_id"] == "aaaaa"
    found = result.columns["joints_world"][mine]
    assert np.isfinite(found).all()
    wanted = track["joints_world"][mine][:, 0]
    assert np.linalg.norm(found[:, 0] - wanted, axis=-1).mean() < 0.25
    # All is known only at the end: earlier frames have waited for it.
    np.testing.assert_array_equal(result.lag_frames[mine], np.arange(7, -1, -1))
    np.testing.assert_array_equal(
        result.columns["joints_world"][~mine], track["joints_world"][~mine]
    )


def test_a_checkpoint_of_another_shape_is_named(free_body: BodyModel, tmp_path: Path) -> None:
    source, weights = tmp_path / "in.npz", tmp_path / "other.pth"
    np.savez(source, **arrays_of(person(free_body, 8)))
    torch.save({"model": {"encoder.net.0.weight": torch.zeros(3, 4)}}, weights)
    given = ["smooth", str(source), "--output", str(tmp_path / "o.npz"), "--weights", str(weights)]
    result = CliRunner().invoke(app, given)
    assert isinstance(result.exception, CheckpointError)
    assert "other.pth" in str(result.exception)
    assert not (tmp_path / "o.npz").exists()
